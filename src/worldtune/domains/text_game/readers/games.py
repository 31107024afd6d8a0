"""A user's own game files as a source: they are run, if the user allows it, while they are read."""

from collections.abc import Iterator

from worldtune.config import GamesConfig
from worldtune.domains.text_game.runner import GameFailure, run_folder
from worldtune.ingestion.rows import Entry, RawRow, Unreadable


def read(path: str, config: GamesConfig) -> Iterator[Entry]:
    """Yield the rows of the games, and an unreadable entry for each fault of a game.

    Raises:
        ParameterError: the user has not allowed to run code.
        SourceError: there are no game files.
    """
    for found in run_folder(path, config):
        if isinstance(found, GameFailure):
            yield Unreadable("game_failed", f"{found.kind}: {found.message}", found.game)
        else:
            place = (found[name] for name in ("game", "seed", "rollout", "step"))
            yield RawRow(found, ":".join(map(str, place)))
