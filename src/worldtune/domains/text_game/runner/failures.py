"""What goes wrong with a game, and how many like faults become one report.

A game that raises on some action does so in many episodes: one report per fault, with a count and
the first place, says more than hundreds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

FailureKind = Literal["syntax", "crash", "time", "memory", "protocol", "refused"]
OUT_OF_MEMORY = "needed more memory than text_game.ingest.games.memory_limit_mb"
KINDS: tuple[str, ...] = get_args(FailureKind)


MAX_DISTINCT = 20
"""Faults of one game that are told one by one."""


@dataclass(frozen=True)
class GameFailure:
    """A game, or a part of it, that could not be played; the rest of the rows is sound.

    kind: syntax (not Python, or newer than this one), crash (the game raised or its process died),
    time and memory (limits), protocol (it is no such game, or its state cannot be written down),
    refused (it tried what the guard keeps out; it may have gone on after that).
    """

    game: str
    kind: FailureKind
    message: str


class Faults:
    """Collects the faults of one game; equal ones are counted."""

    def __init__(self) -> None:
        self._counts: dict[tuple[FailureKind, str], int] = {}
        self._places: dict[tuple[FailureKind, str], str] = {}

    def add(self, kind: FailureKind, text: str, place: str = "") -> None:
        """Note a fault; ``place`` says where it happened, and is kept for the first of its like."""
        is_new = (kind, text) not in self._counts
        if is_new and len(self._counts) >= MAX_DISTINCT and kind not in {"time", "memory"}:
            kind, text = (
                "crash",
                f"more than {MAX_DISTINCT} different faults; the rest is not listed",
            )
        self._counts[kind, text] = self._counts.get((kind, text), 0) + 1
        self._places.setdefault((kind, text), place)

    def failures(self, game: str) -> Iterator[GameFailure]:
        """One failure per distinct fault, in the order of their first appearance."""
        for (kind, text), count in self._counts.items():
            place = self._places[kind, text]
            times = f"{count} times, first in " if count > 1 and place else ""
            yield GameFailure(game, kind, f"{text} ({times}{place})" if place else text)
