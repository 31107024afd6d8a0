"""Chance that is the same on every machine: seeded by texts, drawn with ``Random.random`` alone.

Of Python's generator only ``random()`` is promised to stay the same between versions, so everything
else is made from it here. A layout and the steps of a game use dice of their own: what a player
does never changes what the world looks like. ``num_draws`` tells whether a step was left to chance.
"""

import hashlib
import random
from collections.abc import Sequence
from typing import Literal, TypeVar

T = TypeVar("T")


class Dice:
    """Draws that depend on nothing but the texts they are made from."""

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self._random: random.Random | None = None
        self.num_draws = 0

    def number(self) -> float:
        """A number in [0, 1)."""
        self.num_draws += 1
        if self._random is None:
            digest = hashlib.sha256("\x1f".join(self._texts).encode()).digest()
            self._random = random.Random(int.from_bytes(digest[:8]))
        return self._random.random()

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely; a single option takes no draw."""
        if len(options) == 1:
            return options[0]
        return options[int(self.number() * len(options))]

    def integer(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return self.choice(range(low, high + 1))

    def weighted(self, outcomes: Sequence[tuple[T, int]]) -> T:
        """One outcome of (outcome, weight) pairs; list the least eventful one first."""
        rest = self.number() * sum(weight for _, weight in outcomes)
        for outcome, weight in outcomes:
            rest -= weight
            if rest < 0:
                return outcome
        return outcomes[-1][0]

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of a hundred draws."""
        return self.number() * 100 < percent

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a random order."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = int(self.number() * (last + 1))
            order[last], order[other] = order[other], order[last]
        return order


class FixedDice(Dice):
    """Dice of which every draw gives its first outcome, or every draw its last."""

    def __init__(self, outcome: Literal["first", "last"]) -> None:
        super().__init__()
        self._number = 0.0 if outcome == "first" else 1 - 2**-53

    def number(self) -> float:
        """0, or the largest number below 1."""
        self.num_draws += 1
        return self._number
