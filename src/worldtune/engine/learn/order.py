"""The order in which rows are seen: a function of the seed and the place alone."""

import torch


def _shuffled(count: int, *, seed: int, epoch: int) -> list[int]:
    """A permutation of range(count), a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator).tolist()


def rows_at(first: int, size: int, *, count: int, seed: int) -> list[int]:
    """Rows at ``size`` places from ``first`` on: shuffled epochs of ``count`` rows, seam to seam.

    Places count the rows that a run has seen, so that an interrupted run knows where it was.
    """
    places = range(first, first + size)
    epochs = {place // count for place in places}
    orders = {epoch: _shuffled(count, seed=seed, epoch=epoch) for epoch in epochs}
    return [orders[place // count][place % count] for place in places]
