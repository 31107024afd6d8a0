"""Prompts shared through transformers' own cache, for whatever attention a model has."""

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM, Gemma2Config, Gemma2ForCausalLM

from tests.engine.model.plain import (
    LENGTHS,
    assert_decodes_like,
    assert_same_gradients,
    gradients,
    make_groups,
    path_loss,
    plain_loss,
)
from tests.engine.tiny import clean_float64, plain_copy, tiny_model
from worldtune.engine.model.cached import CachePath
from worldtune.engine.model.policy import as_policy

CASES = [
    ("mistral", {"kv_heads": 2, "sliding_window": 3}),
    ("mistral", {"kv_heads": 2, "sliding_window": 3, "tied": True, "head_bias": True}),
    ("qwen2", {"kv_heads": 1}),
    ("qwen3", {"kv_heads": 2}),
    ("llama", {"kv_heads": 2}),
    ("gpt2", {"tied": True}),
    ("gpt_neox", {}),
]


def soft_capped():
    """Windows in every other layer, soft caps on attention, odd norms and activations."""
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=37,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=3,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=None,
    )
    return Gemma2ForCausalLM(config)


def biased_by_distance():
    torch.manual_seed(0)
    return BloomForCausalLM(BloomConfig(vocab_size=37, hidden_size=32, n_layer=2, n_head=4))


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(("architecture", "options"), CASES, ids=str)
def test_shared_caches_equal_the_plain_formula_to_the_last_digits(
    monkeypatch, architecture, options, lengths
):
    clean_float64(monkeypatch, architecture)
    model = tiny_model(architecture, dtype=torch.float64, **options)
    twin = plain_copy(model)
    groups = make_groups(lengths)
    expected = plain_loss(twin, groups)
    found = path_loss(as_policy(model, path="cached"), groups)
    assert found == pytest.approx(expected, rel=1e-12)
    assert_same_gradients(gradients(model), gradients(twin), 1e-12)


@pytest.mark.parametrize("make", [soft_capped, biased_by_distance])
def test_models_that_no_other_path_runs_keep_their_numbers(make):
    model, twin = make(), make()
    groups = make_groups(LENGTHS["prompts of different length"])
    expected = plain_loss(twin, groups)
    policy = as_policy(model)
    assert policy.path.name == "cached"
    assert path_loss(policy, groups) == pytest.approx(expected, rel=1e-5)
    assert_same_gradients(gradients(model), gradients(twin), 1e-4)
    assert_decodes_like(policy, twin, [[3, 4, 5, 6, 7], [7]], tolerance=1e-4)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [("mistral", {"sliding_window": 3}), ("llama", {}), ("gpt2", {}), ("gpt_neox", {})],
)
def test_decoding_equals_full_forward_passes(monkeypatch, architecture, options):
    clean_float64(monkeypatch, architecture)
    model = tiny_model(architecture, kv_heads=2, dtype=torch.float64, **options)
    twin = plain_copy(model)
    policy = as_policy(model, path="cached")
    assert_decodes_like(policy, twin, [[3, 4, 5, 6, 7, 8], [7], [8, 9]], tolerance=1e-12)


def test_gradient_checkpointing_is_refused_with_the_key_and_the_remedy():
    with pytest.raises(ValueError, match=r"<domain>.<stage>.gradient_checkpointing to false"):
        CachePath(tiny_model(), gradient_checkpointing=True)


def test_the_attention_of_the_model_stays_its_own():
    model = tiny_model()
    as_policy(model, path="cached")
    assert model.config._attn_implementation == "sdpa"
