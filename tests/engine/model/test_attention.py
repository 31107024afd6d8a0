"""Packed groups against the plain formula: every completion in a row of its own, prompt and all."""

import copy

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from tests.engine.tiny import clean_float64, plain_copy, plain_logp, tiny_model, tiny_policy
from worldtune.engine.model.attention import decode_layout, group_layout
from worldtune.engine.model.batch import Group, bins, pack
from worldtune.engine.model.policy import as_policy, token_stats

CASES = [
    (architecture, kv_heads, tied)
    for architecture in ("qwen2", "llama", "qwen3")
    for kv_heads, tied in ((2, False), (1, True))
] + [("qwen2", 4, False)]
LENGTHS = {
    "one group": [(6, [4, 2, 5])],
    "completions of one token": [(5, [1, 1]), (3, [1])],
    "one token beside longer ones": [(4, [1, 6, 3]), (1, [2, 1])],
    "prompts of different length": [(9, [3, 4]), (2, [5, 1, 2]), (1, [1]), (6, [2])],
    "a single token after a single token": [(1, [1])],
}


def make_groups(lengths, *, seed=3, vocabulary=37):
    """Groups of random tokens; advantages are exact in float32."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(count):
        return torch.randint(2, vocabulary, (count,), generator=generator).tolist()

    return [
        Group(
            tokens(prompt),
            [tokens(count) for count in completions],
            advantages=[((7 * i + 3 * k) % 5 - 1.75) / 2 for i in range(len(completions))],
        )
        for k, (prompt, completions) in enumerate(lengths)
    ]


def gradients(model):
    return {n: p.grad.clone() if p.grad is not None else None for n, p in model.named_parameters()}


def packed_loss(policy, groups, tokens_per_pass):
    total = 0.0
    for part in bins(groups, tokens_per_pass):
        batch = pack(part, device=policy.device)
        loss = (token_stats(policy, batch).logp * batch.advantages).sum()
        loss.backward()
        total += float(loss.detach())
    return total


def plain_loss(model, groups):
    loss = sum(
        advantage * plain_logp(model, group.prompt, completion).sum()
        for group in groups
        for completion, advantage in zip(group.completions, group.advantages, strict=True)
    )
    loss.backward()
    return float(loss.detach())


def assert_same_gradients(left, right, tolerance):
    assert left.keys() == right.keys()
    scale = max(float(g.abs().max()) for g in right.values() if g is not None)
    for name, gradient in left.items():
        gap = float((gradient - right[name]).abs().max())
        size = max(float(right[name].abs().max()), 1e-3 * scale)
        assert gap <= tolerance * size, f"{name}: {gap} of {size}"


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(("architecture", "kv_heads", "tied"), CASES)
def test_packed_groups_equal_the_plain_formula_to_the_last_digits(
    monkeypatch, architecture, kv_heads, tied, lengths
):
    clean_float64(monkeypatch, architecture)
    model = tiny_model(architecture, kv_heads=kv_heads, tied=tied, dtype=torch.float64)
    twin = plain_copy(model)
    groups = make_groups(lengths)
    expected = plain_loss(twin, groups)
    found = packed_loss(as_policy(model), groups, tokens_per_pass=10_000)
    assert found == pytest.approx(expected, rel=1e-12)
    assert_same_gradients(gradients(model), gradients(twin), 1e-11)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("architecture", ["qwen2", "llama", "qwen3"])
def test_packed_groups_equal_the_unpatched_model_in_float32(architecture, implementation):
    model = tiny_model(architecture, kv_heads=2)
    twin = copy.deepcopy(model)
    twin.set_attn_implementation(implementation)
    groups = make_groups(LENGTHS["prompts of different length"])
    expected = plain_loss(twin, groups)
    found = packed_loss(as_policy(model), groups, tokens_per_pass=10_000)
    assert found == pytest.approx(expected, rel=1e-5)
    assert_same_gradients(gradients(model), gradients(twin), 1e-3)


@pytest.mark.parametrize("tokens_per_pass", [1, 7, 15, 1000])
def test_the_split_into_passes_does_not_matter(monkeypatch, tokens_per_pass):
    clean_float64(monkeypatch, "qwen2")
    model = tiny_model(dtype=torch.float64, kv_heads=2)
    twin = plain_copy(model)
    groups = make_groups(LENGTHS["prompts of different length"])
    expected = plain_loss(twin, groups)
    assert packed_loss(as_policy(model), groups, tokens_per_pass) == pytest.approx(expected)
    assert_same_gradients(gradients(model), gradients(twin), 1e-11)


def test_each_target_has_the_log_probability_of_its_own_row(monkeypatch):
    clean_float64(monkeypatch, "llama")
    model = tiny_model("llama", kv_heads=1, dtype=torch.float64)
    twin = plain_copy(model)
    groups = make_groups(LENGTHS["prompts of different length"])
    found = token_stats(as_policy(model), pack(groups, device=torch.device("cpu"))).logp
    expected = torch.cat([plain_logp(twin, g.prompt, c) for g in groups for c in g.completions])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_a_completion_sees_neither_its_neighbours_nor_other_prompts():
    policy = tiny_policy(kv_heads=2)
    device = torch.device("cpu")
    group = Group([5, 6, 7], [[8, 9, 10], [11, 12]], advantages=(0.0, 0.0))
    changed = Group([5, 6, 7], [[8, 9, 10], [20, 21]], advantages=(0.0, 0.0))
    other = Group([30, 31], [[32]])
    alone = token_stats(policy, pack([group], device=device)).logp[:3]
    beside = token_stats(policy, pack([other, changed, other], device=device)).logp[1:4]
    torch.testing.assert_close(alone, beside, rtol=1e-5, atol=1e-6)


def test_a_layout_for_decoding_needs_stored_keys():
    layout = group_layout([2], [], [], device=torch.device("cpu"))
    with pytest.raises(ValueError, match="store"):
        decode_layout(layout, torch.tensor([2]), samples=1, max_new=1)


def test_a_sliding_window_is_refused_instead_of_ignored():
    config = Qwen2Config(
        vocab_size=37,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        use_sliding_window=True,
        sliding_window=4,
        max_window_layers=0,
    )
    policy = as_policy(Qwen2ForCausalLM(config))
    with pytest.raises(ValueError, match="sliding_window"):
        token_stats(policy, pack([Group([3, 4], [[5]])], device=torch.device("cpu")))
