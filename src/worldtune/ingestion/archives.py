"""Files inside zip files, read without unpacking anything to disk.

A zip comes from somewhere: entries with names that lead elsewhere, encrypted ones and those that
promise absurd sizes are refused before a byte of them is read. What is read is never more than the
directory of the zip promises, and in pieces.
"""

import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from worldtune.ingestion.rows import SourceError

MAX_MEMBER_BYTES = 4 << 30
MAX_RATIO = 300
"""Unpacked to packed size. Rows that differ little reach about 130; runs of one byte, 1,000."""
MIN_BOMB_BYTES = 4 << 20
"""Smaller files cannot do harm, however well they are packed."""

_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OSError,
)


def member_names(path: Path, inside: Sequence[str] = (), *, key: str) -> list[str]:
    """The names of the files in a zip, in its order; ``inside`` leads to a zip within the zip.

    Raises:
        SourceError: it is no zip, or an entry on the way may not be read.
    """
    with _reading(path, key), ExitStack() as stack:
        archive = zipfile.ZipFile(_enter(stack, path, inside, key=key))
        return [member.filename for member in archive.infolist() if not member.is_dir()]


@contextmanager
def open_member(path: Path, inside: Sequence[str], *, key: str) -> Iterator[IO[bytes]]:
    """The bytes of one file in a zip (or in a zip in that zip, and so on), as a stream.

    Raises:
        SourceError: an entry may not be read, or the zip is damaged (also while it is read).
    """
    with _reading(path, key), ExitStack() as stack:
        member = _enter(stack, path, inside, key=key)
        # BufferedReader, because its readline is the fast one.
        yield stack.enter_context(io.BufferedReader(cast(io.RawIOBase, member)))


def _enter(stack: ExitStack, path: Path, inside: Sequence[str], *, key: str) -> IO[bytes]:
    container: IO[bytes] = stack.enter_context(path.open("rb"))
    for name in inside:
        archive = stack.enter_context(zipfile.ZipFile(container))
        _check(archive.getinfo(name), path, key)
        container = stack.enter_context(archive.open(name))
    return container


@contextmanager
def _reading(path: Path, key: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGES as error:
        raise SourceError(
            f"{key}: {path.name} is not a readable zip file ({str(error)[:120] or 'cut off'}). "
            "Fetch it again."
        ) from error


def _check(member: zipfile.ZipInfo, path: Path, key: str) -> None:
    """Raise SourceError for an entry that no honest zip of data holds."""
    name = PurePosixPath(member.filename.replace("\\", "/"))
    fault = ""
    if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        fault = "has a name that leads outside of the zip"
    elif stat.S_ISLNK(member.external_attr >> 16):
        fault = "is a link"
    elif member.flag_bits & 1:
        fault = "is encrypted"
    elif member.file_size > MAX_MEMBER_BYTES:
        fault = f"unpacks to {member.file_size:,} bytes; at most {MAX_MEMBER_BYTES:,} are read"
    elif member.file_size > max(MAX_RATIO * member.compress_size, MIN_BOMB_BYTES):
        fault = f"unpacks to more than {MAX_RATIO} times its size"
    if fault:
        raise SourceError(
            f"{key}: {ascii(member.filename)[:80]} in {path.name} {fault}. "
            "Unpack it yourself if you trust it, and give the folder."
        )
