from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.floor import FloorMeter, Work, forward_flops
from benchmarks.shapes import Width, build_model

TINY = Width(hidden=32, layers=2, heads=4, kv_heads=2, mlp=48, vocabulary=50)


def counted_flops(length: int, targets: int) -> tuple[int, int]:
    """What torch counts forward and in all, with attention over all pairs, hidden ones too."""
    model = build_model(TINY)
    ids = torch.arange(2, 2 + length)[None] % TINY.vocabulary
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        states = model.model(input_ids=ids, use_cache=False).last_hidden_state
        loss = model.lm_head(states[0, -targets:]).logsumexp(-1).sum()
        forward = counter.get_total_flops()
        loss.backward()
    return forward, counter.get_total_flops()


@pytest.mark.parametrize(("length", "targets"), [(7, 7), (16, 5)])
def test_forward_and_backward_flops_are_those_that_torch_counts(length: int, targets: int) -> None:
    forward, everything = counted_flops(length, targets)
    expected = forward_flops(TINY, tokens=length, pairs=length * length, targets=targets)
    assert forward == expected
    assert everything == 3 * expected


def test_a_step_is_counted_token_by_token() -> None:
    work = Work(TINY, prompt_lengths=(3, 5), group=2, completion=4)
    visible = [range(1, 4), *[range(4, 7)] * 2, range(1, 6), *[range(6, 9)] * 2]
    assert work.tokens == sum(map(len, visible))
    assert work.pairs == sum(map(sum, visible))
    in_last_layer = [[3], *[range(4, 7)] * 2, [5], *[range(6, 9)] * 2]
    assert work.last_pairs == sum(map(sum, in_last_layer))
    assert work.targets == 2 * 2 * 4
    assert work.prompt_pairs == 6 + 15
    key_and_value = 2 * TINY.kv_heads * TINY.head_dim * 4 * TINY.layers
    # The prompt once per group and decoded token, the own tokens of each row.
    assert work.cached_bytes == key_and_value * ((3 + 5) * 3 + 4 * (1 + 2 + 3))


def test_the_last_layer_leaves_out_what_predicts_nothing() -> None:
    work = Work(replace(TINY, layers=1), prompt_lengths=(6,), group=2, completion=3)
    keys_values, others = 2 * 32 * 16, 2 * 32 * 32 + 3 * 32 * 48
    linear = 2 * (10 * keys_values + 5 * others)
    attention = 4 * 32 * (6 + 2 * (7 + 8))
    output = 2 * 6 * 32 * 50
    assert work.training_flops == 3 * (linear + attention + output)


def test_sharing_prompts_saves_what_the_group_would_repeat() -> None:
    work = Work(TINY, prompt_lengths=(400,), group=16, completion=10)
    padded = work.padded_training_flops / work.training_flops
    assert 10 < padded < 16
    assert replace(work, group=1).padded_training_flops >= replace(work, group=1).training_flops


def test_generation_and_training_feed_the_same_tokens_forward() -> None:
    work = Work(TINY, prompt_lengths=(30, 20), group=4, completion=9)
    forward = work.training_flops // 3
    # Training scores the first token of every completion, generation draws them from one state.
    repeated = 2 * (work.rows - 2) * TINY.hidden * TINY.vocabulary
    assert work.generation_flops == forward - repeated


def test_the_floor_of_a_measured_step_is_positive_and_no_product_is_faster_than_its_rate() -> None:
    floor = FloorMeter(Work(TINY, prompt_lengths=(64,), group=4, completion=16))()
    assert floor.training > 0
    assert floor.generation > floor.prefill > 0
    assert floor.gflops > 0
    assert floor.read_gb_s > 0
