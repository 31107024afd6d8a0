"""Files of a source: find them (file, folder of shards, hub id) and read parquet, JSON and JSONL.

Reading is bounded and never crashes on content: a line that is too long, not JSON or not UTF-8 is
yielded as Unreadable with its line number. The split that a file belongs to is taken from its name
or that of its folder, as hub datasets name them. A file may lie inside a zip file (archives.py).
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from worldtune.ingestion import archives
from worldtune.ingestion.rows import Record, SourceError, Unreadable
from worldtune.ingestion.splits import SPLIT_NAMES

SUFFIXES = (".parquet", ".jsonl", ".json")
_HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+?(?:@(?P<revision>[\w./-]+))?$")
_EXCERPT_CHARS = 400
_BATCH_ROWS = 1024


@dataclass(frozen=True)
class SourceFile:
    """A file to read.

    name: how messages call it. split: what its name tells, or None. key: the parameter that led
    to it. inside: the way through the zip file ``path`` to the data, empty for a plain file.
    """

    path: Path
    name: str
    split: str | None
    key: str
    inside: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The file type: ".parquet", ".jsonl" or ".json"."""
        return PurePath(self.inside[-1] if self.inside else self.path).suffix

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """The bytes, as a stream."""
        if self.inside:
            return archives.open_member(self.path, self.inside, key=self.key)
        return self.path.open("rb")


def find_files(path: str, *, key: str, hub_example: str) -> list[SourceFile]:
    """Locate the files of a source, sorted by name.

    Args:
        path: a local file or folder, or a hub id ``org/name`` (optionally ``org/name@revision``).
        key: the parameter that holds the path, for messages.
        hub_example: a hub id that the domain can read, for messages.

    Raises:
        SourceError: nothing is there, or nothing in a format that can be read.
    """
    local = Path(path).expanduser()
    if not local.exists():
        local = _download(path, key=key, hub_example=hub_example)
    root, found = (local.parent, [local]) if local.is_file() else (local, sorted(local.rglob("*")))
    files = [file for file in found if file.suffix in SUFFIXES and file.is_file()]
    if not files:
        names = ", ".join(sorted(file.name for file in found)[:8]) or "nothing"
        raise SourceError(
            f"{key}: {path} holds no {', '.join(SUFFIXES)} file (found: {names}). "
            "Point it to a data file, or to a folder of them."
        )
    return [_source_file(file, root, key) for file in files]


def _source_file(file: Path, root: Path, key: str) -> SourceFile:
    name = file.relative_to(root)
    return SourceFile(file, str(name), named_split(name), key)


def named_split(name: PurePath) -> str | None:
    """The split that a file's name tells, or those of its folders; None if none does.

    Longest name first, lest test_website be read as test; the file counts before its folders.
    """
    for part in (name.stem, *(parent.name for parent in name.parents)):
        words = part.lower().replace("-", "_")
        for known in sorted(SPLIT_NAMES, key=len, reverse=True):
            if re.match(rf"{known}(_|\.|\d|$)", words):
                return SPLIT_NAMES[known]
    return None


def digest(files: list[SourceFile]) -> str:
    """The sha256 of a source: of the bytes of one file, or of the names and digests of several."""
    digests = [(file.name, _sha256(file.path)) for file in files]
    if len(digests) == 1:
        return digests[0][1]
    return hashlib.sha256("".join(f"{name} {sha}\n" for name, sha in digests).encode()).hexdigest()


def columns(file: SourceFile, max_line_bytes: int) -> set[str]:
    """The columns of a file: of the parquet schema, or of its first 50 readable JSON entries."""
    if file.suffix == ".parquet":
        return set(_open_parquet(file).schema_arrow.names)
    names: set[str] = set()
    for index, record in enumerate(read(file, max_line_bytes)):
        if isinstance(record, Record):
            names.update(record.values)
        if index >= 50:
            break
    return names


def read(file: SourceFile, max_line_bytes: int) -> Iterator[Record | Unreadable]:
    """Yield the entries of one file in order, numbered from 1 (lines of JSONL, rows otherwise)."""
    if file.suffix == ".parquet":
        yield from _read_parquet(file)
    elif file.suffix == ".json" and _starts_an_array(file):
        yield from _read_array(file)
    else:
        yield from _read_lines(file, max_line_bytes)


def _download(path: str, *, key: str, hub_example: str) -> Path:
    match = _HUB_ID.match(path)
    if match is None or path.endswith(SUFFIXES):
        raise SourceError(
            f"{key}: {path!r} does not exist (looked from {Path.cwd()}) and is no hub id. "
            f"Expected a file, a folder of files, or an id such as {hub_example}."
        )
    from huggingface_hub import snapshot_download  # noqa: PLC0415  (half a second, hub ids only)

    try:
        folder = snapshot_download(
            path.split("@", 1)[0],
            revision=match["revision"],
            repo_type="dataset",
            allow_patterns=[f"*{suffix}" for suffix in SUFFIXES],
        )
    except (OSError, RuntimeError) as error:
        raise SourceError(
            f"{key}: {path!r} is no local path, and fetching it as a hub dataset failed: "
            f"{str(error).strip().splitlines()[0][:200]} "
            "Check the name, or download it and give the folder."
        ) from error
    return Path(folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _open_parquet(file: SourceFile) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file.path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"{file.key}: {file.name} is not a readable parquet file ({str(error)[:120]}). "
            "Fetch or export it again."
        ) from error


def _read_parquet(file: SourceFile) -> Iterator[Record | Unreadable]:
    number = 0
    for batch in _open_parquet(file).iter_batches(_BATCH_ROWS):
        for values in _batch_rows(batch):
            number += 1
            origin = f"{file.name}:{number}"
            if values is None:
                yield Unreadable("not_utf8", "a text of this row is not UTF-8", origin)
            else:
                yield Record(values, origin, file.split)


def _batch_rows(batch: pa.RecordBatch) -> list[dict[str, Any] | None]:
    """The rows of a batch; None where bytes do not decode (parquet does not check them)."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            return [None]
        half = batch.num_rows // 2
        return _batch_rows(batch.slice(0, half)) + _batch_rows(batch.slice(half))


def _starts_an_array(file: SourceFile) -> bool:
    with file.open() as stream:
        return stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _read_array(file: SourceFile) -> Iterator[Record | Unreadable]:
    # Bytes that are not UTF-8 become lone surrogates, which the checks refuse row by row.
    with file.open() as stream:
        text = stream.read().decode("utf-8-sig", errors="surrogateescape")
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        yield Unreadable(
            "not_json", f"the file is not JSON: {_json_fault(error)}", file.name, _cut(text)
        )
        return
    for number, values in enumerate(entries, 1):
        yield _record(values, f"{file.name}:{number}", file.split)


def _read_lines(file: SourceFile, max_line_bytes: int) -> Iterator[Record | Unreadable]:
    with file.open() as stream:
        number = 0
        while line := stream.readline(max_line_bytes + 1):
            number += 1
            origin = f"{file.name}:{number}"
            if len(line) > max_line_bytes:
                while line and not line.endswith(b"\n"):
                    line = stream.readline(max_line_bytes)
                yield Unreadable("too_long", f"the line exceeds {max_line_bytes:,} bytes", origin)
            elif line.strip():
                yield _parse_line(line.rstrip(b"\r\n"), origin, file.split)


def _parse_line(line: bytes, origin: str, split: str | None) -> Record | Unreadable:
    if b"\0" in line:
        return Unreadable("not_utf8", "the line holds a null byte", origin, _cut(ascii(line)))
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"byte {error.start + 1} of the line (0x{line[error.start]:02x}) is not UTF-8"
        return Unreadable(
            "not_utf8", message, origin, _cut(line.decode("utf-8", "backslashreplace"))
        )
    try:
        return _record(json.loads(text), origin, split)
    except (ValueError, RecursionError) as error:
        return Unreadable(
            "not_json", f"the line is not JSON: {_json_fault(error)}", origin, _cut(text)
        )


def _json_fault(error: Exception) -> str:
    """What is wrong and where, without the line number within a text that is one line."""
    if isinstance(error, json.JSONDecodeError):
        what = error.msg.removesuffix(" at").removesuffix(" starting")
        return f"{what} (character {error.pos + 1})"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:120]


def _record(values: Any, origin: str, split: str | None) -> Record | Unreadable:
    if not isinstance(values, dict):
        message = f"expected a JSON object, found {type(values).__name__}"
        return Unreadable("not_json", message, origin, _cut(str(values)))
    return Record(values, origin, split)


def _cut(text: str) -> str:
    return text[:_EXCERPT_CHARS].encode("utf-8", "backslashreplace").decode()
