"""What a policy says of target tokens, and which models can be one."""

import pytest
import torch
from torch import nn

from tests.engine.tiny import plain_copy, plain_logp, tiny_model
from worldtune.engine.model.batch import Group, pack
from worldtune.engine.model.policy import as_policy, token_stats

CPU = torch.device("cpu")


def test_temperature_divides_the_logits():
    model = tiny_model()
    twin = plain_copy(model)
    batch = pack([Group([3, 4], [[5, 6]])], device=CPU)
    found = token_stats(as_policy(model), batch, temperature=0.7).logp
    expected = plain_logp(twin, [3, 4], [5, 6], temperature=0.7)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_entropy_is_that_of_the_whole_distribution():
    model = tiny_model()
    twin = plain_copy(model)
    batch = pack([Group([3, 4, 5], [[6]])], device=CPU)
    found = token_stats(as_policy(model), batch, entropy="value")
    probs = twin(input_ids=torch.tensor([[3, 4, 5]])).logits[0, -1].softmax(-1)
    expected = -(probs * probs.log()).sum()
    torch.testing.assert_close(found.entropy[0], expected, rtol=1e-5, atol=1e-6)
    plain = token_stats(as_policy(model), batch)
    torch.testing.assert_close(found.logp, plain.logp)
    assert plain.entropy is None


@pytest.mark.parametrize(("mode", "flows"), [("value", False), ("gradient", True)])
def test_gradients_flow_to_entropy_only_if_asked_for(mode, flows):
    policy = as_policy(tiny_model())
    stats = token_stats(policy, pack([Group([3], [[4]])], device=CPU), entropy=mode)
    assert stats.entropy.requires_grad is flows
    assert stats.logp.requires_grad


def test_a_model_without_the_attention_interface_is_refused_with_the_remedy():
    class Odd(nn.Module):
        pass

    with pytest.raises(ValueError, match=r"Odd .* Qwen2"):
        as_policy(Odd())


def test_half_precision_log_probabilities_are_computed_in_float32():
    policy = as_policy(tiny_model(dtype=torch.bfloat16))
    stats = token_stats(policy, pack([Group([3, 4], [[5, 6]])], device=CPU))
    assert stats.logp.dtype == torch.float32
