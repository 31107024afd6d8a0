"""Which way a model is run, and which models are refused with what remedy."""

import logging

import pytest
import torch
from torch import nn
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from tests.engine.model.plain import make_groups, path_logp
from tests.engine.tiny import tiny_model
from worldtune.engine.model.attention import IMPLEMENTATION
from worldtune.engine.model.batch import pack
from worldtune.engine.model.policy import as_policy

CPU = torch.device("cpu")
SMALL = {
    "vocab_size": 37,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
}


def batch():
    return pack(make_groups([(6, [4, 1, 5]), (3, [2, 2])]), device=CPU)


@pytest.mark.parametrize(
    ("architecture", "options", "name"),
    [
        ("llama", {}, "lean"),
        ("qwen2", {}, "lean"),
        ("qwen3", {}, "lean"),
        ("gpt2", {}, "interface"),
        ("mistral", {}, "interface"),
        ("mistral", {"sliding_window": 4}, "cached"),
    ],
)
def test_the_fastest_exact_way_is_taken(caplog, architecture, options, name):
    with caplog.at_level(logging.INFO):
        policy = as_policy(tiny_model(architecture, **options))
    assert policy.path.name == name
    assert f"runs by the {name} path" in caplog.records[-1].message


def test_the_log_says_why_a_faster_way_was_refused(caplog):
    with caplog.at_level(logging.WARNING):
        as_policy(tiny_model("mistral", sliding_window=4))
    text = " ".join(record.message for record in caplog.records)
    assert "MistralForCausalLM: a faster path was refused: interface" in text
    assert "sliding_window = 4" in text


@pytest.mark.parametrize("path", ["lean", "interface", "cached"])
def test_all_ways_say_the_same(path):
    expected = path_logp(as_policy(tiny_model(kv_heads=2)), batch())
    found = path_logp(as_policy(tiny_model(kv_heads=2), path=path), batch())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("path", ["lean", "cached"])
def test_ways_with_their_own_attention_leave_that_of_the_model(path):
    model = tiny_model()
    as_policy(model, path="interface")
    assert model.config._attn_implementation == IMPLEMENTATION
    as_policy(model, path=path)
    assert model.config._attn_implementation == "sdpa"


def test_a_way_that_is_asked_for_by_name_is_not_replaced():
    with pytest.raises(ValueError, match=r"Mistral.* cannot be run exactly; interface: not every"):
        as_policy(tiny_model("mistral", sliding_window=4), path="interface")
    with pytest.raises(ValueError, match=r"GPT2.* cannot be run exactly; lean: "):
        as_policy(tiny_model("gpt2"), path="lean")


def test_no_way_at_all_names_every_reason():
    with pytest.raises(ValueError, match=r"interface: not every .* cached: .* drops the cache"):
        as_policy(tiny_model("mistral", sliding_window=4), gradient_checkpointing=True)


@pytest.mark.parametrize("path", ["lean", "interface"])
def test_gradient_checkpointing_puts_the_model_in_training_mode(path):
    policy = as_policy(tiny_model(), path=path, gradient_checkpointing=True)
    assert policy.model.training


def test_dropout_is_switched_off_but_stays_in_the_configuration():
    model = tiny_model("gpt2", attn_pdrop=0.5, resid_pdrop=0.5, embd_pdrop=0.5).train()
    policy = as_policy(model, path="cached")
    assert torch.equal(path_logp(policy, batch()), path_logp(policy, batch()))
    assert model.config.resid_pdrop == 0.5
    noisy = tiny_model("gpt_neox", attention_dropout=0.5, hidden_dropout=0.5).train()
    policy = as_policy(noisy, path="interface")
    assert torch.equal(path_logp(policy, batch()), path_logp(policy, batch()))


def test_autocast_computes_in_half_precision_over_full_weights():
    model = tiny_model()
    policy = as_policy(model, autocast=torch.bfloat16)
    exact = path_logp(as_policy(model), batch()).detach()
    with policy.computing():
        rounded = path_logp(policy, batch())
        assert policy.head.logits(policy.path.states(batch())).dtype == torch.bfloat16
    assert 1e-4 < float((rounded - exact).abs().max().detach()) < 0.5
    assert not policy.is_exact
    rounded.sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in model.parameters())


def test_without_autocast_the_context_changes_nothing():
    policy = as_policy(tiny_model())
    outside = path_logp(policy, batch())
    with policy.computing():
        assert torch.equal(path_logp(policy, batch()), outside)


def test_a_plain_module_is_refused_with_the_remedy():
    class Odd(nn.Module):
        pass

    with pytest.raises(ValueError, match=r"Odd is not a causal language model .* Qwen2"):
        as_policy(Odd())


def test_an_encoder_and_decoder_is_refused():
    config = T5Config(vocab_size=37, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    with pytest.raises(ValueError, match=r"T5.* does not predict the next token"):
        as_policy(T5ForConditionalGeneration(config))


def test_rotary_angles_that_depend_on_the_length_are_refused():
    rope = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    with pytest.raises(ValueError, match=r"'dynamic', whose angles depend on the length"):
        as_policy(tiny_model("llama", rope_parameters=rope))


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Gemma2ForCausalLM(Gemma2Config(**SMALL)), "final_logit_softcapping = 30.0"),
        (lambda: CohereForCausalLM(CohereConfig(**SMALL, eos_token_id=1)), "logit_scale = 0.0625"),
    ],
)
def test_logits_that_are_changed_after_the_output_layer_are_refused_by_the_key(make, key):
    with pytest.raises(ValueError, match=key):
        as_policy(make())


def test_an_unknown_change_of_the_logits_is_noticed():
    model = tiny_model()
    model.register_forward_hook(lambda _, __, out: out.__setitem__("logits", out.logits * 1.5))
    with pytest.raises(ValueError, match="no known key"):
        as_policy(model)
