"""The order in which rows are seen: a function of the seed and the place alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from worldtune.config import MixConfig
from worldtune.contracts import Row
from worldtune.errors import ParameterError


def _shuffled(count: int, *, seed: int, epoch: int) -> list[int]:
    """A permutation of range(count), a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator).tolist()


@dataclass(frozen=True)
class Order:
    """Shuffled epochs of rows, seam to seam.

    Places count the rows that a run has seen, so that an interrupted run knows where it was.

    Attributes:
        seed: of the shuffles and draws.
        always: numbers of the rows that every epoch holds.
        others: numbers of the rows of which every epoch holds a draw of its own.
        num_others: size of that draw, at most the number of ``others``.
    """

    seed: int
    always: Sequence[int]
    others: Sequence[int] = ()
    num_others: int = 0

    @property
    def epoch_size(self) -> int:
        """Rows of an epoch."""
        return len(self.always) + self.num_others

    def rows_at(self, first: int, size: int) -> list[int]:
        """The rows at ``size`` places from ``first`` on."""
        count = self.epoch_size
        places = range(first, first + size)
        epochs = {epoch: self._epoch(epoch) for epoch in {place // count for place in places}}
        return [epochs[place // count][place % count] for place in places]

    def _epoch(self, epoch: int) -> list[int]:
        # A seed of its own: else the draw would repeat in the shuffle of some other epoch.
        drawn = _shuffled(len(self.others), seed=~self.seed, epoch=epoch)[: self.num_others]
        rows = [*self.always, *(self.others[i] for i in drawn)]
        return [rows[i] for i in _shuffled(len(rows), seed=self.seed, epoch=epoch)]


def order_rows(rows: Sequence[Row], mix: MixConfig | None, *, seed: int, section: str) -> Order:
    """The order of a run over these rows; without a mix every epoch holds them all.

    ``section`` is that of the stage's parameters, such as "web.rlvr", for messages. Raises
    ParameterError where the mix names no column of flags, or one that is nowhere true.
    """
    if mix is None:
        return Order(seed, range(len(rows)))
    key = f"{section}.mix.column"
    if not all(isinstance(row.get(mix.column), bool) for row in rows):
        flags = [name for name, value in rows[0].items() if isinstance(value, bool)]
        raise ParameterError(
            f"{key} is {mix.column!r}, which is no column of flags of the training rows; "
            f"those are: {', '.join(flags) or 'none'}"
        )
    always = [number for number, row in enumerate(rows) if row[mix.column]]
    others = [number for number, row in enumerate(rows) if not row[mix.column]]
    if not always:
        raise ParameterError(
            f"{key} is {mix.column!r}, which is true of no training row: change it"
        )
    return Order(seed, always, others, min(len(others), round(len(always) * mix.per_100 / 100)))
