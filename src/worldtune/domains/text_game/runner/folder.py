"""Finds the game files and playthroughs of a folder, in the layouts that users have.

A game file is one whose text defines ``class TextGame``; nothing is imported to find out. A clone
that holds both editions of the games gives those of GPT-simulator: only they tell the state between
the action and the world's own step, and number their objects.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from worldtune.ingestion.rows import SourceError

PATH_KEY = "text_game.ingest.source.path"
GAME_FOLDERS = ("data/games", "data/programs", ".")
"""Where game files lie, in order of preference: GPT-simulator, BYTESIZED32, a plain folder."""
PLAYTHROUGH_FOLDERS = (".", "playthroughs", "../playthroughs")
"""Where playthroughs lie, seen from the folder of the games."""
MAX_FILE_BYTES = 4_000_000

_CLASS = re.compile(rb"^class\s+TextGame\b", re.MULTILINE)


@dataclass(frozen=True)
class GameFile:
    """A game to run. gold: the actions of its playthrough, None where there is no such file."""

    name: str
    source: bytes
    gold: tuple[str, ...] | None


def find_games(path: str | Path) -> list[GameFile]:
    """The games of a folder or the one of a file, sorted by name.

    Raises:
        SourceError: nothing is there, or no file that defines a TextGame; names what was sought.
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise SourceError(
            f"{PATH_KEY}: {str(path)!r} does not exist (looked from {Path.cwd()}). Expected a "
            "clone of GPT-simulator or BYTESIZED32, or a folder of game files."
        )
    if root.is_file():
        games = _read_games([root])
    else:
        listings = (sorted((root / folder).glob("*.py")) for folder in GAME_FOLDERS)
        games = next((found for files in listings if (found := _read_games(files))), [])
    if not games:
        raise SourceError(_nothing_found(root))
    return games


def parse_playthrough(text: str) -> tuple[str, ...]:
    """The actions of a playthrough: what follows ``>`` at the start of a line, without ``help``."""
    actions = (line[1:].strip() for line in text.splitlines() if line.startswith(">"))
    return tuple(action for action in actions if action not in {"", "help"})


def playthrough_name(game: str) -> str:
    """The file name of a game's playthrough."""
    return f"{game}-playthrough.txt"


def _read_games(files: list[Path]) -> list[GameFile]:
    sources = {file: _read(file) for file in files if file.is_file()}
    return [
        GameFile(file.stem, source, _find_playthrough(file))
        for file, source in sources.items()
        if _CLASS.search(source)
    ]


def _read(file: Path) -> bytes:
    """The bytes of a file. Raises SourceError if there are too many, or it cannot be read."""
    try:
        if (size := file.stat().st_size) > MAX_FILE_BYTES:
            raise SourceError(
                f"{PATH_KEY}: {file} has {size:,} bytes, a game file at most "
                f"{MAX_FILE_BYTES:,}. Move it elsewhere."
            )
        return file.read_bytes()
    except OSError as error:
        raise SourceError(f"{PATH_KEY}: cannot read {file}: {error.strerror}.") from error


def _find_playthrough(file: Path) -> tuple[str, ...] | None:
    for folder in PLAYTHROUGH_FOLDERS:
        place = file.parent / folder / playthrough_name(file.stem)
        if place.is_file():
            return parse_playthrough(_read(place).decode("utf-8", errors="replace"))
    return None


def _nothing_found(root: Path) -> str:
    entries = [root] if root.is_file() else sorted(root.iterdir())
    found = ", ".join(entry.name for entry in entries[:8]) or "nothing"
    sought = ", ".join(str(Path(folder) / "*.py") for folder in GAME_FOLDERS)
    return (
        f"{PATH_KEY}: {root} holds no game file. Looked for {sought} that define `class TextGame` "
        f"(and for playthroughs called {playthrough_name('<game>')}); found: {found}. "
        "Point it to a clone of GPT-simulator or BYTESIZED32, or to a folder of such files."
    )
