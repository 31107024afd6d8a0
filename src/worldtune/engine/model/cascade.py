"""Exact attention over shared prompts: the prompt's keys are read once per group, never copied.

The softmax over a completion token's keys splits into two parts, the prompt and the completion's
own past. Each part is an ordinary flash attention that returns its output and the log of its
normaliser; the two are merged by

    lse = logaddexp(lse_prompt, lse_own)
    out = exp(lse_prompt - lse) * out_prompt + exp(lse_own - lse) * out_own.

Backward, a flash kernel recomputes the weights of its block as exp(score - lse). Given the *merged*
output and lse these are the weights of the whole softmax restricted to the block, so that the
gradients of the two blocks simply add up: exact, with nothing kept beyond the output and lse.

Tokens stand in *attention order*: all prompts, shortest first, then all completions, ordered by
prompt. The kernels are torch's own for the CPU. They are private, so ``cascade_works`` checks them
against the formula once, and ``expanded_attention`` does the same with public operations only, with
the prompt's keys copied to each completion; it also serves other devices.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention

_VIEW_FROM = 256
"""Spans at least this long are attended one by one; shorter ones are padded to share a call."""

_PADDING = 1.5
"""Padded spans hold at most this many times their tokens."""


@dataclass(frozen=True)
class Spans:
    """Consecutive causal spans of a row, attended in one call.

    Attributes:
        start: first row.
        lengths: rows of each span, >= 1.
        padded: [spans * longest] rows, counted from ``start``; a shorter span repeats its last
            one, whose log-normaliser covers all keys of the span. None if none is shorter.
        real: [sum(lengths)] which of the padded rows are not repeats. None likewise.
    """

    start: int
    lengths: tuple[int, ...]
    padded: Tensor | None
    real: Tensor | None

    def rows(self, offset: int = 0) -> slice:
        """The rows that the spans cover, ``offset`` lower."""
        return slice(self.start - offset, self.start - offset + sum(self.lengths))

    def take(self, tensor: Tensor, offset: int = 0) -> Tensor:
        """[time, heads, ...] -> [spans, heads, longest, ...], from rows ``offset`` lower."""
        rows = tensor[self.rows(offset)]
        if self.padded is not None:
            rows = rows.index_select(0, self.padded)
        spans: Tensor = rows.unflatten(0, (len(self.lengths), -1)).transpose(1, 2)
        return spans

    def take_or_zero(self, tensor: Tensor, offset: int = 0) -> Tensor:
        """Like ``take``, but with zeros at padding."""
        if self.real is None:
            return self.take(tensor, offset)
        rows = tensor.new_zeros(len(self.lengths) * max(self.lengths), *tensor.shape[1:])
        rows[self.real] = tensor[self.rows(offset)]
        spans: Tensor = rows.unflatten(0, (len(self.lengths), -1)).transpose(1, 2)
        return spans

    def flat(self, spans: Tensor) -> Tensor:
        """[spans, heads, longest, ...] -> [sum(lengths), heads, ...]."""
        rows = spans.transpose(1, 2).flatten(0, 1)
        return rows if self.real is None else rows.index_select(0, self.real)


def spans_of(lengths: Sequence[int], start: int, device: torch.device) -> Spans:
    longest = max(lengths)
    if min(lengths) == longest:
        return Spans(start, tuple(lengths), None, None)
    size = torch.tensor(lengths)[:, None]
    column = torch.arange(longest)
    first = size.cumsum(0) - size
    padded = (first + torch.minimum(column, size - 1)).flatten()
    real = (column < size).flatten().nonzero().squeeze(-1)
    return Spans(start, tuple(lengths), padded.to(device), real.to(device))


def _split(lengths: Sequence[int], start: int, device: torch.device) -> Iterator[Spans]:
    """Cut consecutive spans into runs that are worth one call each; empty spans are left out."""
    run: list[int] = []
    for length in (n for n in lengths if n):
        longest, count = max([*run, length]), len(run) + 1
        short = longest < _VIEW_FROM and longest * count <= _PADDING * (sum(run) + length)
        if run and not short and (longest != length or min(run) != length):
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
        own[index].append(length)
    sizes = [n + sum(lengths) for n, lengths in zip(prompt_lengths, own, strict=True)]
    first = [0, *torch.tensor(sizes).cumsum(0).tolist()]
    by_length = sorted(range(len(prompt_lengths)), key=lambda i: prompt_lengths[i])
    pieces = [range(first[i], first[i] + prompt_lengths[i]) for i in by_length]
    pieces += [range(first[i] + prompt_lengths[i], first[i + 1]) for i in by_length]
    permutation = torch.cat([torch.arange(piece.start, piece.stop) for piece in pieces])
    place = torch.empty_like(permutation)
    place[permutation] = torch.arange(len(permutation))

    lengths = [prompt_lengths[i] for i in by_length]
    ends = torch.tensor(lengths).cumsum(0)
    prompt_rows = int(ends[-1])
    prompts = [slice(start, stop) for start, stop in pairwise([0, *ends.tolist()])]
    branches, start = [], prompt_rows
    for i, prompt in zip(by_length, prompts, strict=True):
        if fed := tuple(n for n in own[i] if n):
            branches.append(Branch(prompt, start, fed))
        start += sum(fed)
    shared = tuple(branches), tuple(_split([n for i in by_length for n in own[i]], prompt_rows, device))
    return Order(
        permutation=permutation.to(device),
        place=place.to(device),
        ends=(ends - 1).to(device),
        by_length=by_length,
        prompt_rows=prompt_rows,
        full=Plan(tuple(_split(lengths, 0, device)), (), *shared, 0),
        last=Plan((), tuple(prompts), *shared, prompt_rows - len(prompts)),
    )


def _flash(*inputs: Any, **options: Any) -> tuple[Tensor, Tensor]:
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*inputs, **options)


def _flash_backward(*inputs: Any, **options: Any) -> tuple[Tensor, Tensor, Tensor]:
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(*inputs, **options)


def _one(tensor: Tensor, rows: slice) -> Tensor:
    """[time, heads, ...] -> [1, heads, rows, ...]."""
    return tensor[rows].transpose(0, 1).unsqueeze(0)


def _merge(out: Tensor, lse: Tensor, own: Tensor, own_lse: Tensor) -> None:
    """Merge two parts of one softmax into the first: out [rows, heads, dim], lse [rows, heads]."""
    total = torch.logaddexp(lse, own_lse)
    first, second = (lse - total).exp_()[..., None], (own_lse - total).exp_()[..., None]
    out.copy_((out * first).addcmul_(own.to(first.dtype), second))
    lse.copy_(total)


class _Cascade(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, plan: Plan, scale: float
    ) -> Tensor:
        out = torch.empty_like(query)
        wide = torch.promote_types(query.dtype, torch.float32)
        lse = query.new_empty(query.shape[:2], dtype=wide)
        for spans in plan.prompts:
            part = _flash(*(spans.take(t) for t in (query, key, value)), 0.0, True, scale=scale)
            out[spans.rows()], lse[spans.rows()] = (spans.flat(t) for t in part)
        for rows, prompt in plan.crossings():
            shared = _one(key, prompt), _one(value, prompt)
            part = _flash(_one(query, rows), *shared, 0.0, False, scale=scale)
            out[rows], lse[rows] = (t[0].transpose(0, 1) for t in part)
        for spans in plan.own:
            asked = spans.take(query, plan.offset)
            part = _flash(asked, spans.take(key), spans.take(value), 0.0, True, scale=scale)
            rows = spans.rows(plan.offset)
            _merge(out[rows], lse[rows], *(spans.flat(t) for t in part))
        ctx.save_for_backward(query, key, value, out, lse)
        ctx.plan, ctx.scale = plan, scale
        return out

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, out, lse = ctx.saved_tensors
        plan: Plan = ctx.plan
        of_query, of_key, of_value = (torch.zeros_like(t) for t in (query, key, value))
        for spans, offset in [(s, 0) for s in plan.prompts] + [(s, plan.offset) for s in plan.own]:
            asked = (spans.take(t, offset) for t in (out, lse))
            inputs = spans.take(query, offset), spans.take(key), spans.take(value), *asked
            upstream = spans.take_or_zero(grad, offset)
            parts = _flash_backward(upstream, *inputs, 0.0, True, scale=ctx.scale)
            rows = spans.rows(offset), spans.rows(), spans.rows()
            for whole, place, part in zip((of_query, of_key, of_value), rows, parts, strict=True):
                whole[place] = spans.flat(part)
        for rows, prompt in plan.crossings():
            asked = (_one(t, rows) for t in (out, lse))
            inputs = _one(query, rows), _one(key, prompt), _one(value, prompt), *asked
            parts = _flash_backward(_one(grad, rows), *inputs, 0.0, False, scale=ctx.scale)
            places = rows, prompt, prompt
            for whole, place, part in zip((of_query, of_key, of_value), places, parts, strict=True):
                whole[place] += part[0].transpose(0, 1)
        return of_query, of_key, of_value, None, None


def cascade_attention(
    query: Tensor, key: Tensor, value: Tensor, *, plan: Plan, scale: float
) -> Tensor:
    """Attend along a plan, by flash attention merged over prompt and completion.

    Args:
        query: [queries, heads, dim], already rotated.
        key: [time, kv_heads, dim] likewise; heads is a multiple of kv_heads.
        value: like key.
        plan: who sees whom.
        scale: of the scores.

    Returns:
        [queries, heads, dim].
    """
    result: Tensor = _Cascade.apply(query, key, value, plan, scale)
    return result


def expanded_attention(
    query: Tensor, key: Tensor, value: Tensor, *, plan: Plan, scale: float
) -> Tensor:
    """The same by public operations alone; copies a prompt's keys for each of its completions."""
    pieces = []
    for spans in plan.prompts:
        taken = (spans.take(t) for t in (query, key, value))
        pieces.append(spans.flat(_sdpa(*taken, is_causal=True, scale=scale)))
    for row, prompt in enumerate(plan.tips):
        taken = _one(query, slice(row, row + 1)), _one(key, prompt), _one(value, prompt)
        pieces.append(_sdpa(*taken, scale=scale)[0].transpose(0, 1))
    for branch in plan.branches:
        spans = spans_of(branch.lengths, branch.start, query.device)
        asked = spans.take(query, plan.offset)
        keys, values = (_behind(spans, t, branch.prompt) for t in (key, value))
        # Row i of a completion sees the prompt and i + 1 rows of its own. Padding is on the right,
        # where the same rule hides it.
        visible = torch.ones(asked.shape[2], keys.shape[2], dtype=torch.bool, device=query.device)
        visible = visible.tril(keys.shape[2] - asked.shape[2])
        pieces.append(spans.flat(_sdpa(asked, keys, values, attn_mask=visible, scale=scale)))
    return torch.cat(pieces)


_sdpa = partial(scaled_dot_product_attention, enable_gqa=True)


def _behind(spans: Spans, tensor: Tensor, prompt: slice) -> Tensor:
    """[completions, heads, prompt + longest, dim]: the prompt's rows, then each completion's."""
    own = spans.take(tensor)
    return torch.cat([_one(tensor, prompt).expand(len(own), -1, -1, -1), own], dim=2)


@cache
def cascade_works() -> bool:
    """Whether this build of torch has the kernels, and they do what is asked of them here.

    They must take fewer key than query heads, and a log-normaliser that is not their own.
    """
    generator = torch.Generator().manual_seed(0)
    shapes = ((9, 4, 8), (9, 2, 8), (9, 2, 8))
    inputs = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    plan = attention_order([4, 2], [2, 1], [0, 1], device=torch.device("cpu")).full
    results = []
    for attend in (cascade_attention, expanded_attention):
        leaves = [t.clone().requires_grad_() for t in inputs]
        try:
            out = attend(*leaves, plan=plan, scale=0.5)
            results.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
        except (AttributeError, NotImplementedError, RuntimeError, TypeError):
            return False
    return all(torch.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(*results, strict=True))
