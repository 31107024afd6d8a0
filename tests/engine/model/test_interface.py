"""transformers' modules with our attention, against the plain formula."""

import copy

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from tests.engine.model.plain import (
    LENGTHS,
    assert_decodes_like,
    assert_same_gradients,
    gradients,
    make_groups,
    path_logp,
    path_loss,
    plain_loss,
)
from tests.engine.tiny import clean_float64, plain_copy, plain_logp, tiny_model
from worldtune.engine.model.batch import Group, pack
from worldtune.engine.model.interface import InterfacePath
from worldtune.engine.model.policy import as_policy

CPU = torch.device("cpu")
CASES = [
    *(
        (architecture, {"kv_heads": kv_heads, "tied": tied})
        for architecture in ("qwen2", "llama", "qwen3")
        for kv_heads, tied in ((2, False), (1, True))
    ),
    ("qwen2", {"head_bias": True}),
    ("mistral", {"kv_heads": 2}),
    ("gpt2", {"tied": True}),
    ("gpt_neox", {}),
]


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(("architecture", "options"), CASES, ids=str)
def test_packed_groups_equal_the_plain_formula_to_the_last_digits(
    monkeypatch, architecture, options, lengths
):
    clean_float64(monkeypatch, architecture)
    model = tiny_model(architecture, dtype=torch.float64, **options)
    twin = plain_copy(model)
    groups = make_groups(lengths)
    expected = plain_loss(twin, groups)
    found = path_loss(as_policy(model, path="interface"), groups)
    assert found == pytest.approx(expected, rel=1e-12)
    assert_same_gradients(gradients(model), gradients(twin), 1e-12)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("architecture", ["qwen2", "llama", "qwen3", "gpt2", "gpt_neox"])
def test_packed_groups_equal_the_unpatched_model_in_float32(architecture, implementation):
    model = tiny_model(architecture, kv_heads=2)
    twin = copy.deepcopy(model)
    twin.set_attn_implementation(implementation)
    groups = make_groups(LENGTHS["prompts of different length"])
    expected = plain_loss(twin, groups)
    found = path_loss(as_policy(model, path="interface"), groups)
    assert found == pytest.approx(expected, rel=1e-5)
    assert_same_gradients(gradients(model), gradients(twin), 1e-3)


@pytest.mark.parametrize("tokens_per_pass", [1, 7, 15, 1000])
def test_the_split_into_passes_does_not_matter(monkeypatch, tokens_per_pass):
    clean_float64(monkeypatch, "qwen2")
    model = tiny_model(dtype=torch.float64, kv_heads=2)
    twin = plain_copy(model)
    groups = make_groups(LENGTHS["prompts of different length"])
    expected = plain_loss(twin, groups)
    policy = as_policy(model, path="interface")
    assert path_loss(policy, groups, tokens_per_pass) == pytest.approx(expected, rel=1e-12)
    assert_same_gradients(gradients(model), gradients(twin), 1e-12)


def test_each_target_has_the_log_probability_of_its_own_row(monkeypatch):
    clean_float64(monkeypatch, "llama")
    model = tiny_model("llama", kv_heads=1, dtype=torch.float64)
    twin = plain_copy(model)
    groups = make_groups(LENGTHS["prompts of different length"])
    found = path_logp(as_policy(model, path="interface"), pack(groups, device=CPU))
    expected = torch.cat([plain_logp(twin, g.prompt, c) for g in groups for c in g.completions])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_a_completion_sees_neither_its_neighbours_nor_other_prompts():
    policy = as_policy(tiny_model(kv_heads=2), path="interface")
    group = Group([5, 6, 7], [[8, 9, 10], [11, 12]], advantages=(0.0, 0.0))
    changed = Group([5, 6, 7], [[8, 9, 10], [20, 21]], advantages=(0.0, 0.0))
    other = Group([30, 31], [[32]])
    alone = path_logp(policy, pack([group], device=CPU))[:3]
    beside = path_logp(policy, pack([other, changed, other], device=CPU))[1:4]
    torch.testing.assert_close(alone, beside, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "gpt2", "gpt_neox"])
def test_decoding_equals_full_forward_passes(monkeypatch, architecture):
    clean_float64(monkeypatch, architecture)
    model = tiny_model(architecture, kv_heads=2, dtype=torch.float64)
    twin = plain_copy(model)
    policy = as_policy(model, path="interface")
    assert_decodes_like(policy, twin, [[3, 4, 5, 6], [7], [8, 9]], tolerance=1e-12)


def test_gradient_checkpointing_computes_layers_twice_and_gradients_the_same():
    groups = make_groups(LENGTHS["prompts of different length"])
    found, calls = [], []
    for is_on in (False, True):
        model = tiny_model(kv_heads=2)
        policy = as_policy(model, path="interface", gradient_checkpointing=is_on)
        layer = model.base_model.layers[0].mlp
        count = [0]
        layer.register_forward_pre_hook(lambda *_, n=count: n.__setitem__(0, n[0] + 1))
        path_loss(policy, groups)
        found.append(gradients(model))
        calls.append(count[0])
    assert calls == [1, 2]
    assert_same_gradients(found[1], found[0], 1e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"sliding_window": 4}, r"whole past \(sliding_window = 4\)"),
        ({"layer_types": ["full_attention", "chunked_attention"]}, "chunked_attention"),
    ],
)
def test_attention_that_does_not_see_the_whole_past_is_refused(options, reason):
    model = tiny_model("mistral", **options)
    with pytest.raises(ValueError, match=reason):
        InterfacePath(model)
    assert model.config._attn_implementation == "sdpa"


def test_a_model_without_the_attention_interface_is_refused():
    model = BloomForCausalLM(BloomConfig(vocab_size=37, hidden_size=32, n_layer=1, n_head=4))
    with pytest.raises(ValueError, match="BloomForCausalLM does not take its attention"):
        InterfacePath(model)


def test_another_policy_over_the_same_weights_does_not_disturb_the_first():
    model = tiny_model(kv_heads=2)
    batch = pack(make_groups(LENGTHS["prompts of different length"]), device=CPU)
    first = as_policy(model, path="interface")
    before = path_logp(first, batch)
    second = as_policy(model, path="cached")
    assert model.config._attn_implementation == "sdpa"
    torch.testing.assert_close(path_logp(second, batch), before, rtol=1e-4, atol=1e-5)
    assert torch.equal(path_logp(first, batch), before)
