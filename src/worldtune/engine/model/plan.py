"""The order in which attention wants a packed row, and which of its rows see which.

Attention order is: all prompts, shortest first, then all completions, ordered by prompt. So what is
attended together stands together, and is read and written as a view.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

_ALONE_FROM = 256
"""Spans at least this long get a call each, unless equal; shorter ones are padded to share one."""

_PADDING = 1.5
"""Padded spans hold at most this many times their tokens."""


@dataclass(frozen=True)
class Padding:
    """How spans of different length are padded to the longest.

    Attributes:
        rows: [spans * longest] index into the rows of the spans; a shorter span repeats its last
            row, whose log-normaliser covers all keys of the span.
        real: [rows of the spans] which of the padded rows are not repeats.
        repeats: the other ones.
    """

    rows: Tensor
    real: Tensor
    repeats: Tensor


@dataclass(frozen=True)
class Spans:
    """Consecutive causal spans of a row, attended in one call.

    Attributes:
        start: first row.
        lengths: rows of each span, >= 1.
        padding: None if all are equally long.
    """

    start: int
    lengths: tuple[int, ...]
    padding: Padding | None

    def rows(self, offset: int = 0) -> slice:
        """The rows that the spans cover, ``offset`` lower."""
        return slice(self.start - offset, self.start - offset + sum(self.lengths))

    def take(self, tensor: Tensor, offset: int = 0, *, zero: bool = False) -> Tensor:
        """[time, heads, ...] -> [spans, heads, longest, ...], from rows ``offset`` lower.

        Padding is zero on demand, otherwise it repeats the last row of its span.
        """
        rows = tensor[self.rows(offset)]
        if self.padding is not None:
            rows = rows.index_select(0, self.padding.rows)
            if zero:
                rows.index_fill_(0, self.padding.repeats, 0.0)
        spans: Tensor = rows.unflatten(0, (len(self.lengths), -1)).transpose(1, 2)
        return spans

    def flat(self, spans: Tensor) -> Tensor:
        """[spans, heads, longest, ...] -> [rows of the spans, heads, ...]."""
        rows = spans.transpose(1, 2).flatten(0, 1)
        return rows if self.padding is None else rows.index_select(0, self.padding.real)


def spans_of(lengths: Sequence[int], start: int, device: torch.device) -> Spans:
    """Spans of the given lengths from row ``start``."""
    longest = max(lengths)
    if min(lengths) == longest:
        return Spans(start, tuple(lengths), None)
    size = torch.tensor(lengths)[:, None]
    column = torch.arange(longest)
    rows = (size.cumsum(0) - size + torch.minimum(column, size - 1)).flatten()
    is_real = (column < size).flatten()
    indices = rows, is_real.nonzero().squeeze(-1), (~is_real).nonzero().squeeze(-1)
    return Spans(start, tuple(lengths), Padding(*(index.to(device) for index in indices)))


def _calls(lengths: Sequence[int], start: int, device: torch.device) -> Iterator[Spans]:
    """Cut consecutive spans into runs that are worth one call each."""
    run: list[int] = []
    for length in lengths:
        longest, count = max([*run, length]), len(run) + 1
        fits = longest < _ALONE_FROM and longest * count <= _PADDING * (sum(run) + length)
        if run and not fits and set(run) != {length}:
            yield spans_of(run, start, device)
            start += sum(run)
            run = []
        run.append(length)
    if run:
        yield spans_of(run, start, device)


@dataclass(frozen=True)
class Branch:
    """The completions of one group, which share the keys of a prompt.

    Attributes:
        prompt: rows of the prompt.
        start: first row of the completions.
        lengths: rows of each completion, >= 1.
    """

    prompt: slice
    start: int
    lengths: tuple[int, ...]

    def rows(self, offset: int = 0) -> slice:
        """Rows of the completions, ``offset`` lower."""
        return slice(self.start - offset, self.start - offset + sum(self.lengths))


@dataclass(frozen=True)
class Plan:
    """Which rows of an attention call see which.

    Attributes:
        prompts: the prompts, attending to themselves; empty if only their last tokens ask.
        tips: the prompt that each of the first query rows, its last token, attends to; empty if
            all prompt tokens ask.
        branches: completions attending to prompts.
        own: completions attending to themselves.
        offset: key rows before the first completion, less query rows before it.
    """

    prompts: tuple[Spans, ...]
    tips: tuple[slice, ...]
    branches: tuple[Branch, ...]
    own: tuple[Spans, ...]
    offset: int

    def crossings(self) -> list[tuple[slice, slice]]:
        """Query rows and the prompt rows that they see all of."""
        tips = [(slice(row, row + 1), prompt) for row, prompt in enumerate(self.tips)]
        return tips + [(branch.rows(self.offset), branch.prompt) for branch in self.branches]


@dataclass(frozen=True)
class Order:
    """A packed row in attention order.

    Attributes:
        permutation: [time] the row of the batch that stands at each place.
        place: [time] the place of each row of the batch.
        by_length: the prompts in attention order.
        ends: [prompts] the place of the last token of each of these.
        prompt_rows: prompt tokens in total; completions follow.
        full: every token asks.
        last: only the last tokens of the prompts, which come first, and the completions ask.
    """

    permutation: Tensor
    place: Tensor
    by_length: list[int]
    ends: Tensor
    prompt_rows: int
    full: Plan
    last: Plan


def attention_order(
    prompt_lengths: Sequence[int],
    own_lengths: Sequence[int],
    owner: Sequence[int],
    *,
    device: torch.device,
) -> Order:
    """Put a row of prompts, each followed by its completions, in attention order.

    Args:
        prompt_lengths: tokens of each prompt, >= 1.
        own_lengths: fed tokens of each completion, >= 0, ordered by prompt.
        owner: the prompt of each completion, non-decreasing.
        device: where the index tensors live.
    """
    own: list[list[int]] = [[] for _ in prompt_lengths]
    for index, length in zip(owner, own_lengths, strict=True):
        if length:
            own[index].append(length)
    by_length = sorted(range(len(prompt_lengths)), key=lambda i: prompt_lengths[i])
    lengths = [prompt_lengths[i] for i in by_length]
    ends = torch.tensor(lengths).cumsum(0)
    prompts = [slice(start, stop) for start, stop in pairwise([0, *ends.tolist()])]
    branches, start = [], prompts[-1].stop
    for i, prompt in zip(by_length, prompts, strict=True):
        if own[i]:
            branches.append(Branch(prompt, start, tuple(own[i])))
            start += sum(own[i])
    fed = tuple(_calls([n for i in by_length for n in own[i]], prompts[-1].stop, device))
    offset = prompts[-1].stop - len(prompts)
    permutation = _permutation(prompt_lengths, own, by_length)
    place = torch.empty_like(permutation)
    place[permutation] = torch.arange(len(permutation))
    return Order(
        permutation=permutation.to(device),
        place=place.to(device),
        by_length=by_length,
        ends=(ends - 1).to(device),
        prompt_rows=prompts[-1].stop,
        full=Plan(tuple(_calls(lengths, 0, device)), (), tuple(branches), fed, 0),
        last=Plan((), tuple(prompts), tuple(branches), fed, offset),
    )


def _permutation(
    prompt_lengths: Sequence[int], own: Sequence[Sequence[int]], by_length: Sequence[int]
) -> Tensor:
    """[time] rows of the batch in attention order."""
    sizes = [n + sum(lengths) for n, lengths in zip(prompt_lengths, own, strict=True)]
    first = [0, *torch.tensor(sizes).cumsum(0).tolist()]
    middle = [start + n for start, n in zip(first, prompt_lengths, strict=False)]
    pieces = [torch.arange(first[i], middle[i]) for i in by_length]
    return torch.cat(pieces + [torch.arange(middle[i], first[i + 1]) for i in by_length])
