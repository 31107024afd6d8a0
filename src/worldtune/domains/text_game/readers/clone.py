"""A user's clone of GPT-simulator, as a folder or as a zip: where its rows and rules lie.

Rows are ``data/{test,train}.jsonl``, or the same inside ``data/{test,train}.zip``; both splits are
read if both are there. Nothing is unpacked to disk, also where the clone itself is a zip. The
human-written rules are optional.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from worldtune.domains.text_game.rules import shorten
from worldtune.domains.text_game.state import canonical_json
from worldtune.ingestion import archives, files
from worldtune.ingestion.files import SourceFile
from worldtune.ingestion.rows import SourceError

KEY = "text_game.ingest.source.path"
SPLITS = ("test", "train")
RULES = "rules/human_written_rules"
MAX_RULES_BYTES = 16_000_000

_IN_A_CLONE = re.compile(r"((?:[^/]+/)?)data/(?:test|train)\.(?:jsonl|zip)")

Find = Callable[[str], SourceFile | None]
"""From a path inside a clone to the file, None if it is not there."""


@dataclass(frozen=True)
class Clone:
    """The files with rows, and the rules of each game: JSON text of objects, actions, score."""

    files: tuple[SourceFile, ...]
    rules: Mapping[str, str]


def find_clone(path: str) -> Clone:
    """Locate rows and rules.

    Args:
        path: a clone, its ``data`` folder, its zip (with or without a top folder), one of the four
            files, or another ``.jsonl`` or ``.zip`` file of rows.

    Raises:
        SourceError: nothing is there; names the files that were looked for.
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise SourceError(
            f"{KEY}: {path!r} does not exist (looked from {Path.cwd()}). Expected a clone of "
            f"GPT-simulator, or its zip, with {_looked_for()}."
        )
    if root.is_dir():
        return _clone(_in_folder(root), root.name, _listing(root))
    if root.suffix == ".jsonl":
        found = SourceFile(root, root.name, files.named_split(PurePosixPath(root.name)), KEY)
        return Clone((found,), _rules(_in_folder(_clone_around(root))))
    return _in_archive(root)


def _in_archive(path: Path) -> Clone:
    """The zip of a clone, or a zip of rows that lies in a clone (or anywhere)."""
    names = archives.member_names(path, key=KEY)
    tops = [match[1] for name in names if (match := _IN_A_CLONE.fullmatch(name))]
    if tops:
        return _clone(_in_zip(path, names, tops[0]), path.name, ", ".join(names[:8]))
    rows = _inner_file(SourceFile(path, path.name, None, KEY), names)
    if rows is None:
        raise SourceError(_nothing_in(path.name, ", ".join(names[:8])))
    return Clone((rows,), _rules(_in_folder(_clone_around(path))))


def _clone(find: Find, name: str, listing: str) -> Clone:
    found = tuple(file for split in SPLITS if (file := _rows(find, split)) is not None)
    if not found:
        raise SourceError(_nothing_in(name, listing))
    return Clone(found, _rules(find))


def _rows(find: Find, split: str) -> SourceFile | None:
    """The rows of a split; the unpacked file where both are there, for they hold the same."""
    for folder in ("data/", ""):
        plain, packed = find(f"{folder}{split}.jsonl"), find(f"{folder}{split}.zip")
        if plain is not None:
            return plain
        if packed is not None:
            names = archives.member_names(packed.path, packed.inside, key=KEY)
            if (inner := _inner_file(packed, names)) is not None:
                return inner
    return None


def _inner_file(packed: SourceFile, names: list[str]) -> SourceFile | None:
    """The one file of rows in a zip: test.jsonl or train.jsonl, else the first ``.jsonl``."""
    rows = [name for name in names if name.endswith(".jsonl") and not name.startswith("__MACOSX")]
    known = [name for name in rows if PurePosixPath(name).stem in SPLITS]
    if not rows:
        return None
    name = PurePosixPath((known or rows)[0])
    split = files.named_split(PurePosixPath(name.name))
    shown = f"{packed.name}/{name}"
    return SourceFile(packed.path, shown, split, KEY, (*packed.inside, str(name)))


def _in_folder(root: Path) -> Find:
    def find(name: str) -> SourceFile | None:
        path = root / name
        split = files.named_split(PurePosixPath(PurePosixPath(name).name))
        return SourceFile(path, name, split, KEY) if path.is_file() else None

    return find


def _in_zip(path: Path, names: list[str], top: str) -> Find:
    def find(name: str) -> SourceFile | None:
        if top + name not in names:
            return None
        split = files.named_split(PurePosixPath(PurePosixPath(name).name))
        return SourceFile(path, name, split, KEY, (top + name,))

    return find


def _clone_around(file: Path) -> Path:
    """The clone that a file of rows lies in, if it lies in one."""
    return file.parent.parent if file.parent.name == "data" else file.parent


def _rules(find: Find) -> dict[str, str]:
    """The rules of each game that has any, as JSON text."""
    parts = {
        key: _rule_file(find(f"{RULES}/{name}_rules.json"))
        for key, name in (("objects", "object"), ("actions", "action"), ("score", "score"))
    }
    parts["objects"] = {game: shorten(text) for game, text in parts["objects"].items()}
    games = sorted({game for texts in parts.values() for game in texts})
    return {
        game: canonical_json({key: texts.get(game, "") for key, texts in parts.items()})
        for game in games
    }


def _rule_file(file: SourceFile | None) -> dict[str, str]:
    """Game -> text; empty if there is no file. Raises SourceError if it holds something else."""
    if file is None:
        return {}
    with file.open() as stream:
        data = stream.read(MAX_RULES_BYTES)
    try:
        rules = json.loads(data)
    except (ValueError, RecursionError):
        rules = None
    if not isinstance(rules, dict) or not all(isinstance(text, str) for text in rules.values()):
        raise SourceError(
            f"{KEY}: {file.name} is not a JSON object of texts, one for each game. "
            "Fetch it again, or take it away: rules are optional."
        )
    return rules


def _listing(root: Path) -> str:
    return ", ".join(sorted(path.name for path in root.iterdir())[:8])


def _looked_for() -> str:
    names = [f"data/{split}.{suffix}" for split in SPLITS for suffix in ("jsonl", "zip")]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _nothing_in(name: str, listing: str) -> str:
    return (
        f"{KEY}: {name} holds no rows of GPT-simulator. Looked for {_looked_for()} "
        f"(found: {listing or 'nothing'}). Point it to a clone of the repository, to its zip, or "
        "to one of these files."
    )
