"""Exact attention over shared prompts: the prompt's keys are read once per group, never copied.

The softmax over a completion token's keys splits into two parts, the prompt and the completion's
own past. Each part is an ordinary flash attention that returns its output and the log of its
normaliser; the two are merged by

    lse = logaddexp(lse_prompt, lse_own)
    out = exp(lse_prompt - lse) * out_prompt + exp(lse_own - lse) * out_own.

Backward, a flash kernel recomputes the weights of its block as exp(score - lse). Given the *merged*
output and lse these are the weights of the whole softmax restricted to the block, so that the
gradients of the two blocks simply add up: exact, with nothing kept beyond the output and lse.

The kernel also does most of the work that the causal rule spares (measured: all of it below 768
tokens), so that a long span is cut into blocks, merged in the same way.

The kernels are torch's own for the CPU. They are private, so ``cascade_works`` checks them against
the formula once, and ``expanded_attention`` does the same by public operations, with the prompt's
keys copied for each completion; it also serves other devices.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention as sdpa

from worldtune.engine.model.plan import Plan, Spans, attention_order, spans_of

_BLOCK = 192
"""Causal spans of at least two blocks are cut into blocks of this length or little more."""


def _flash(*inputs: Any, **options: Any) -> Any:
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*inputs, **options)


def _flash_backward(*inputs: Any, **options: Any) -> Any:
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(*inputs, **options)


def _merge(out: Tensor, lse: Tensor, other: Tensor, other_lse: Tensor) -> None:
    """Merge two parts of one softmax into the first: out [..., dim], lse [...]."""
    total = torch.logaddexp(lse, other_lse)
    first, second = (lse - total).exp_()[..., None], (other_lse - total).exp_()[..., None]
    if out.dtype == first.dtype:
        out.mul_(first).addcmul_(other, second)
    else:
        out.copy_((out * first).addcmul_(other.to(first.dtype), second))
    lse.copy_(total)


def _blocks(length: int) -> list[slice]:
    """Cut a causal span so that little is computed above its diagonal."""
    count = length // _BLOCK if length >= 2 * _BLOCK else 1
    return [slice(i * length // count, (i + 1) * length // count) for i in range(count)]


def _causal(query: Tensor, key: Tensor, value: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Output [spans, heads, time, dim] and log-normaliser [spans, heads, time] of causal spans."""
    outs, lses = [], []
    for rows in _blocks(query.shape[2]):
        q = query[:, :, rows]
        out, lse = _flash(q, key[:, :, rows], value[:, :, rows], 0.0, True, scale=scale)
        if rows.start:
            past = key[:, :, : rows.start], value[:, :, : rows.start]
            _merge(out, lse, *_flash(q, *past, 0.0, False, scale=scale))
        outs.append(out.transpose(1, 2))
        lses.append(lse.transpose(1, 2))
    if len(outs) == 1:
        return out, lse
    return torch.cat(outs, dim=1).transpose(1, 2), torch.cat(lses, dim=1).transpose(1, 2)


def _causal_backward(
    grad: Tensor, inputs: Sequence[Tensor], merged: Sequence[Tensor], scale: float
) -> Sequence[Tensor]:
    """Gradients of the query, key and value of causal spans, given output and normaliser."""
    blocks = _blocks(grad.shape[2])
    if len(blocks) == 1:
        whole: Sequence[Tensor] = _flash_backward(grad, *inputs, *merged, 0.0, True, scale=scale)
        return whole
    grads = [torch.empty_like(t.transpose(1, 2)).transpose(1, 2) for t in inputs]
    for rows in blocks:
        for seen in (rows, slice(rows.start)) if rows.start else (rows,):
            places = rows, seen, seen
            parts = _flash_backward(
                grad[:, :, rows],
                *(t[:, :, place] for t, place in zip(inputs, places, strict=True)),
                *(t[:, :, rows] for t in merged),
                0.0,
                seen is rows,
                scale=scale,
            )
            for total, place, part in zip(grads, places, parts, strict=True):
                if seen is rows:
                    total[:, :, place] = part
                else:
                    total[:, :, place] += part
    return grads


def _one(tensor: Tensor, rows: slice) -> Tensor:
    """[time, heads, ...] -> [1, heads, rows, ...]."""
    return tensor[rows].transpose(0, 1).unsqueeze(0)


class _Cascade(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, plan: Plan, scale: float
    ) -> Tensor:
        out = torch.empty_like(query)
        wide = torch.promote_types(query.dtype, torch.float32)
        lse = query.new_empty(query.shape[:2], dtype=wide)
        for spans in plan.prompts:
            part = _causal(spans.take(query), spans.take(key), spans.take(value), scale)
            rows = spans.rows()
            out[rows], lse[rows] = (spans.flat(t) for t in part)
        for rows, prompt in plan.crossings():
            shared = _one(key, prompt), _one(value, prompt)
            part = _flash(_one(query, rows), *shared, 0.0, False, scale=scale)
            out[rows], lse[rows] = (t[0].transpose(0, 1) for t in part)
        for spans in plan.own:
            asked = spans.take(query, plan.offset)
            part = _causal(asked, spans.take(key), spans.take(value), scale)
            rows = spans.rows(plan.offset)
            _merge(out[rows], lse[rows], *(spans.flat(t) for t in part))
        ctx.save_for_backward(query, key, value, out, lse)
        ctx.plan, ctx.scale = plan, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, out, lse = ctx.saved_tensors
        plan: Plan = ctx.plan
        # Prompts that attend to themselves set the gradient of all their rows, tips add to it.
        empty = torch.zeros_like if plan.tips else torch.empty_like
        grads = empty(query), empty(key), empty(value)
        for spans, offset in [(s, 0) for s in plan.prompts] + [(s, plan.offset) for s in plan.own]:
            upstream = spans.take(grad, offset, zero=True)
            inputs = spans.take(query, offset), spans.take(key), spans.take(value)
            merged = spans.take(out, offset), spans.take(lse, offset)
            parts = _causal_backward(upstream, inputs, merged, ctx.scale)
            places = spans.rows(offset), spans.rows(), spans.rows()
            for whole, place, part in zip(grads, places, parts, strict=True):
                whole[place] = spans.flat(part)
        for rows, prompt in plan.crossings():
            inputs = _one(query, rows), _one(key, prompt), _one(value, prompt)
            merged = _one(out, rows), _one(lse, rows)
            upstream = _one(grad, rows)
            parts = _flash_backward(upstream, *inputs, *merged, 0.0, False, scale=ctx.scale)
            for whole, place, part in zip(grads, (rows, prompt, prompt), parts, strict=True):
                whole[place] += part[0].transpose(0, 1)
        return (*grads, None, None)


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
    result: Tensor = _Cascade.apply(query, key, value, plan, scale)  # type: ignore[no-untyped-call]
    return result


def expanded_attention(
    query: Tensor, key: Tensor, value: Tensor, *, plan: Plan, scale: float
) -> Tensor:
    """The same by public operations alone; copies a prompt's keys for each of its completions."""
    # Not ``enable_gqa``, which some of the fused kernels do not take.
    repeats = query.shape[1] // key.shape[1]
    key, value = (t.repeat_interleave(repeats, dim=1) for t in (key, value))
    pieces = []
    for spans in plan.prompts:
        taken = spans.take(query), spans.take(key), spans.take(value)
        pieces.append(spans.flat(sdpa(*taken, is_causal=True, scale=scale)))
    for row, prompt in enumerate(plan.tips):
        taken = _one(query, slice(row, row + 1)), _one(key, prompt), _one(value, prompt)
        pieces.append(sdpa(*taken, scale=scale)[0].transpose(0, 1))
    for branch in plan.branches:
        spans = spans_of(branch.lengths, branch.start, query.device)
        asked = spans.take(query, plan.offset)
        keys, values = (_behind(spans, t, branch.prompt) for t in (key, value))
        # Row i of a completion sees the prompt and i + 1 rows of its own. Padding is on the right,
        # where the same rule hides it.
        visible = torch.ones(asked.shape[2], keys.shape[2], dtype=torch.bool, device=query.device)
        visible = visible.tril(keys.shape[2] - asked.shape[2])
        pieces.append(spans.flat(sdpa(asked, keys, values, attn_mask=visible, scale=scale)))
    return torch.cat(pieces)


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
            with torch.enable_grad():
                out = attend(*leaves, plan=plan, scale=0.5)
                results.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
        except (AttributeError, NotImplementedError, RuntimeError, TypeError):
            return False
    return all(torch.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(*results, strict=True))
