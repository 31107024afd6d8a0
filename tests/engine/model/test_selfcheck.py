"""The self-check finds paths that are wrong in any way we could think of, and disturbs nothing."""

from dataclasses import replace

import pytest
import torch

from tests.engine.tiny import tiny_model, weights
from worldtune.config import LoraConfig
from worldtune.engine.model import huggingface
from worldtune.engine.model.batch import pack
from worldtune.engine.model.cached import CacheDecoder, CachePath
from worldtune.engine.model.head import Head
from worldtune.engine.model.path import unwrapped
from worldtune.engine.model.policy import as_policy
from worldtune.engine.model.selfcheck import SelfCheck


def deviation(model, path, autocast=None):
    unwrapped(model).set_attn_implementation("sdpa")
    check = SelfCheck(model, Head(model.get_output_embeddings()), autocast=autocast)
    return check.compare(path)


class Wrong(CachePath):
    """A path that is right but for what its subclasses do."""


class Shifted(Wrong):
    def states(self, batch):
        groups = [replace(g, prompt=g.prompt[:1] + g.prompt) for g in batch.groups]
        return super().states(pack(groups, device=batch.input_ids.device))


class Forgetful(Wrong):
    """Completions do not see the first token of their prompt."""

    def run(self, input_ids, positions, mask, cache):
        if cache is not None:
            mask = mask.clone()
            mask[:, 0] = 0
        return super().run(input_ids, positions, mask, cache)


class Restarted(Wrong):
    """Positions of completions start at 0."""

    def run(self, input_ids, positions, mask, cache):
        if cache is not None and input_ids.shape[1] > 1:
            positions = positions - positions[:, :1]
        return super().run(input_ids, positions, mask, cache)


class Exchanged(Wrong):
    def states(self, batch):
        states = super().states(batch)
        return states[[1, 0, *range(2, len(states))]]


class Detached(Wrong):
    """Right values, but no gradient through the keys of the prompt."""

    def run(self, input_ids, positions, mask, cache):
        output = super().run(input_ids, positions, mask, cache)
        if cache is None:
            for layer in output.past_key_values.layers:
                layer.keys, layer.values = layer.keys.detach(), layer.values.detach()
        return output


class Muddled(Wrong):
    """Right in training; the decoder keeps other rows than it is asked to."""

    def prefill(self, prompts, *, samples, max_new):
        states, decoder = super().prefill(prompts, samples=samples, max_new=max_new)
        return states, MuddledDecoder(**vars(decoder))


class MuddledDecoder(CacheDecoder):
    def keep(self, groups, rows):
        super().keep(groups, rows - 1)


class Broken(Wrong):
    def states(self, batch):
        return super().states(batch) * float("nan")


@pytest.mark.parametrize("architecture", ["qwen2", "gpt_neox"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_right_path_deviates_by_rounding_alone(architecture, dtype):
    model = tiny_model(architecture, dtype=dtype)
    found = deviation(model, CachePath(model))
    assert found.is_rounding
    limits = {torch.float64: 1e-6, torch.float32: 1e-5, torch.bfloat16: 3e-2}
    assert max(found.logp, found.decode) < limits[dtype]
    assert found.gradient < 10 * limits[dtype]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "wrong", [Shifted, Forgetful, Restarted, Exchanged, Detached, Muddled, Broken]
)
def test_a_wrong_path_is_found(wrong, dtype):
    model = tiny_model(dtype=dtype)
    found = deviation(model, wrong(model))
    assert not found.is_rounding, str(found)


def test_a_wrong_path_is_found_in_a_fresh_model_whose_predictions_are_nearly_uniform():
    model = tiny_model()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(std=0.02)
    assert deviation(model, CachePath(model)).is_rounding
    for wrong in (Shifted, Forgetful, Exchanged, Muddled):
        assert not deviation(model, wrong(model)).is_rounding, wrong


def test_a_layer_that_is_random_in_training_is_found():
    model = tiny_model("gpt2", resid_pdrop=0.1)
    assert not deviation(model, CachePath(model)).is_rounding


def test_autocast_is_held_to_the_tolerance_of_its_type():
    model = tiny_model()
    found = deviation(model, CachePath(model), autocast=torch.bfloat16)
    assert found.is_rounding
    assert found.logp > 1e-4
    assert not deviation(model, Shifted(model), autocast=torch.bfloat16).is_rounding


@pytest.mark.parametrize("path", ["lean", "interface", "cached"])
def test_nothing_is_left_behind(path):
    model = tiny_model("qwen3")
    model.base_model.layers[0].train()
    held = next(model.parameters())
    held.grad = torch.ones_like(held)
    before, state = weights(model), torch.get_rng_state()
    modes = [module.training for module in model.modules()]
    as_policy(model, path=path)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert torch.equal(held.grad, torch.ones_like(held))
    assert all(p.grad is None for p in model.parameters() if p is not held)


@pytest.mark.parametrize("path", ["lean", "interface", "cached"])
def test_a_frozen_model_is_checked_forward(path):
    model = tiny_model().requires_grad_(False)
    policy = as_policy(model, path=path)
    assert deviation(model, policy.path).gradient == 0.0
    assert not deviation(model, Shifted(model)).is_rounding


@pytest.mark.parametrize("path", ["auto", "lean", "interface", "cached"])
def test_adapters_are_run_and_their_gradients_compared(path):
    pytest.importorskip("peft", reason="LoRA needs the extra 'lora'")
    model = huggingface.add_lora(tiny_model(kv_heads=2), LoraConfig(rank=4, alpha=8))
    policy = as_policy(model, path=path)
    assert policy.model is model
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    assert as_policy(model, path=path).path.name == policy.path.name
    assert not deviation(model, Detached(model)).is_rounding


def test_a_report_names_the_three_deviations():
    model = tiny_model()
    text = str(deviation(model, Shifted(model)))
    assert "log-probabilities" in text and "decoding" in text and "gradients" in text
