"""Merged attention against one dense softmax under a mask written token by token."""

import pytest
import torch

from worldtune.engine.model.cascade import cascade_attention, cascade_works, expanded_attention
from worldtune.engine.model.plan import attention_order

CPU = torch.device("cpu")

ROWS = {
    "one group": ([4], [3, 2], [0, 0]),
    "nothing fed": ([4, 2], [0, 0, 0], [0, 0, 1]),
    "a completion without fed tokens between others": ([3, 5], [2, 0, 4, 1], [0, 0, 0, 1]),
    "prompts alone": ([3, 1, 3], [], []),
    "a prompt of one token": ([1, 6], [5, 1, 2], [0, 1, 1]),
    "equal lengths": ([5, 5], [3, 3, 3, 3], [0, 0, 1, 1]),
    "far from equal lengths": ([40, 2, 3], [30, 1, 2], [0, 1, 2]),
    "spans with a call of their own": ([300, 7], [260, 3, 280], [0, 0, 1]),
    "spans that are cut into blocks": ([600, 5], [400, 400], [0, 1]),
}


def token_names(prompt_lengths, own_lengths, owner):
    """(prompt, completion or None, position) of every token of the packed row."""
    names = []
    for p, length in enumerate(prompt_lengths):
        names += [(p, None, i) for i in range(length)]
        for c, fed in enumerate(own_lengths):
            if owner[c] == p:
                names += [(p, c, length + i) for i in range(fed)]
    return names


def sees(one, other):
    same_completion = other[1] is None or other[1] == one[1]
    return one[0] == other[0] and same_completion and other[2] <= one[2]


def plain_attention(query, key, value, visible, scale):
    """[time, heads, dim] by a dense softmax per head; head h reads key head h * kv / heads."""
    heads, kv_heads = query.shape[1], key.shape[1]
    read = []
    for h in range(heads):
        k = h * kv_heads // heads
        scores = (query[:, h] @ key[:, k].T) * scale
        read.append(scores.masked_fill(~visible, float("-inf")).softmax(-1) @ value[:, k])
    return torch.stack(read, dim=1)


def tensors(time, heads, kv_heads, *, size=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shapes = ((time, heads, 8), (time, kv_heads, 8), (time, kv_heads, 8))
    return [torch.randn(s, generator=generator, dtype=dtype) * size for s in shapes]


def with_gradients(attend, inputs):
    leaves = [t.clone().requires_grad_() for t in inputs]
    out = attend(*leaves)
    upstream = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    return [out, *torch.autograd.grad(out, leaves, upstream)]


@pytest.mark.parametrize("asking", ["all", "last"])
@pytest.mark.parametrize("attend", [cascade_attention, expanded_attention])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_attention_and_its_gradients_equal_one_dense_softmax(row, kv_heads, attend, asking):
    names = token_names(*row)
    visible = torch.tensor([[sees(a, b) for b in names] for a in names])
    order = attention_order(*row, device=CPU)
    rows = torch.arange(len(names))
    if asking == "last":
        rows = torch.cat([order.ends, torch.arange(order.prompt_rows, len(names))])
    plan = order.full if asking == "all" else order.last
    query, key, value = tensors(len(names), 4, kv_heads)

    def dense(query, key, value):
        read = plain_attention(query, key, value, visible, 0.4)
        return read[order.permutation][rows]

    def planned(query, key, value):
        query, key, value = (t[order.permutation] for t in (query, key, value))
        return attend(query[rows], key, value, plan=plan, scale=0.4)

    results = [with_gradients(f, (query, key, value)) for f in (planned, dense)]
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_padding_next_to_sharp_scores_leaves_gradients_finite():
    order = attention_order([3, 4], [5, 2, 4], [0, 0, 1], device=CPU)
    inputs = tensors(18, 4, 2, size=30.0, dtype=torch.float32)
    for attend in (cascade_attention, expanded_attention):
        found = with_gradients(lambda *t, f=attend: f(*t, plan=order.full, scale=1.0), inputs)
        assert all(bool(t.isfinite().all()) for t in found)


def test_half_precision_is_merged_in_float32():
    order = attention_order([30, 40], [20, 10, 25], [0, 0, 1], device=CPU)
    inputs = tensors(125, 4, 2, dtype=torch.float32)

    def attend(*inputs):
        return cascade_attention(*inputs, plan=order.full, scale=0.4)

    found = with_gradients(attend, [t.bfloat16() for t in inputs])
    for half, full in zip(found, with_gradients(attend, inputs), strict=True):
        assert half.dtype == torch.bfloat16
        gap = (half.float() - full).norm() / full.norm()
        assert float(gap.detach()) < 0.01


def test_the_kernels_pass_their_check_even_if_it_runs_without_gradients():
    cascade_works.cache_clear()
    with torch.no_grad():
        assert cascade_works()
