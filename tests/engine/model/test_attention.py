"""Layouts against the softmax of every token over a list of the tokens that it may see."""

import math

import pytest
import torch
from torch import nn

from worldtune.engine.model.attention import _dispatch, decode_layout, group_layout

CPU = torch.device("cpu")
HEADS, DIM = 4, 8
LENGTHS = {
    "one group": ([3], [2, 4], [0, 0]),
    "different lengths": ([4, 1, 2], [3, 0, 1, 0, 5], [0, 0, 1, 1, 2]),
    "prompts alone": ([2, 5], [], []),
    "nothing fed": ([2], [0, 0], [0, 0]),
}


def tensors(time, kv_heads, batch=1):
    generator = torch.Generator().manual_seed(1)
    shapes = [(batch, heads, time, DIM) for heads in (HEADS, kv_heads, kv_heads)]
    return [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]


def seen_by_each(prompt_lengths, own_lengths, owner):
    """For every token of the row, the tokens that it sees."""
    seen, start = [], 0
    for group, length in enumerate(prompt_lengths):
        prompt = list(range(start, start + length))
        seen.extend(prompt[: i + 1] for i in range(length))
        start += length
        for fed, index in zip(own_lengths, owner, strict=True):
            if index == group:
                seen.extend(prompt + list(range(start, start + i + 1)) for i in range(fed))
                start += fed
    return seen


def plain_attention(query, key, value, seen, scale):
    """[time, heads, dim] token by token; query head h reads key head h * kv_heads // heads."""
    result = torch.empty(len(seen), HEADS, DIM, dtype=query.dtype)
    for token, visible in enumerate(seen):
        for head in range(HEADS):
            shared = head * key.shape[1] // HEADS
            scores = key[0, shared, visible] @ query[0, head, token] * scale
            weights = [math.exp(float(s) - float(scores.max())) for s in scores]
            total = sum(w * value[0, shared, v] for w, v in zip(weights, visible, strict=True))
            result[token, head] = total / sum(weights)
    return result


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_every_token_sees_its_prompt_and_its_own_past(lengths, kv_heads):
    layout = group_layout(*lengths, device=CPU)
    query, key, value = tensors(sum(lengths[0]) + sum(lengths[1]), kv_heads)
    found = layout.attend(0, query, key, value, 0.3)[0]
    expected = plain_attention(query, key, value, seen_by_each(*lengths), 0.3)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_decoding_continues_every_prompt_separately(kv_heads):
    lengths, samples, steps = [3, 1], 2, 3
    prompt = tensors(sum(lengths), kv_heads)
    layout = group_layout(lengths, [], [], device=CPU)
    layout.store = {}
    layout.attend(0, *prompt, 0.3)
    decoding = decode_layout(layout, torch.tensor(lengths), samples=samples, max_new=steps)
    new = tensors(steps, kv_heads, batch=len(lengths) * samples)
    spans = [slice(0, 3), slice(3, 4)]
    rows = list(range(4))
    for step in range(steps):
        found = decoding.attend(0, *(t[rows][:, :, step : step + 1] for t in new), 0.3)
        for place, row in enumerate(rows):
            query, key, value = (
                torch.cat([old[:, :, spans[row // samples]], own[row : row + 1]], dim=2)
                for old, own in zip(prompt, new, strict=True)
            )
            last = lengths[row // samples] + step
            seen = [[]] * last + [list(range(last + 1))]
            expected = plain_attention_of_last(query, key, value, seen[-1])
            torch.testing.assert_close(found[place, 0], expected, rtol=1e-12, atol=1e-12)
        decoding.time += 1
        if step == 0:
            decoding.keep(torch.tensor([0, 1]), torch.tensor([1, 2]))
            rows, samples = [1, 2], 2


def plain_attention_of_last(query, key, value, visible):
    token = visible[-1]
    return plain_attention(query[:, :, token : token + 1], key, value, [visible], 0.3)[0]


def test_a_layout_for_decoding_needs_stored_keys():
    layout = group_layout([2], [], [], device=CPU)
    with pytest.raises(ValueError, match="store"):
        decode_layout(layout, torch.tensor([2]), samples=1, max_new=1)


@pytest.mark.parametrize("name", ["sliding_window", "softcap", "s_aux"])
def test_what_the_full_softmax_does_not_do_is_refused_instead_of_ignored(name):
    module = nn.Module()
    module.layer_idx = 0
    layout = group_layout([2], [], [], device=CPU)
    with pytest.raises(ValueError, match=name):
        _dispatch(module, *tensors(2, 4), None, 0.3, layout=layout, **{name: 2})
