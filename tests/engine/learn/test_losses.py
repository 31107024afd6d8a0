"""Loss and KL against scalar arithmetic written independently."""

import math

import pytest
import torch

from worldtune.engine.learn.losses import clipped_surrogate, k3

LOGP = [-0.5, -1.2, -2.0, -0.1, -3.0, -0.7]
OLD = [-0.5, -1.0, -2.9, -0.8, -2.2, -0.7]
REFERENCE = [-0.6, -1.2, -1.1, -0.3, -3.3, -0.2]
ADVANTAGES = [1.5, -0.5, 1.0, -2.0, -1.0, 0.0]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def scalar_loss(logp, old, advantage, low, high):
    """-min(ratio A, clip(ratio) A), case by case."""
    ratio = math.exp(logp - old)
    if advantage > 0 and ratio > 1 + high:
        return -(1 + high) * advantage, True
    if advantage < 0 and ratio < 1 - low:
        return -(1 - low) * advantage, True
    return -ratio * advantage, False


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.2), (0.2, 0.28), (0.05, 0.6)])
@pytest.mark.parametrize("old", [OLD, LOGP], ids=["off-policy", "on-policy"])
def test_the_clipped_loss_equals_the_case_by_case_formula(old, low, high):
    found = clipped_surrogate(
        tensor(LOGP), tensor(old), tensor(ADVANTAGES), clip_low=low, clip_high=high
    )
    expected = [
        scalar_loss(*values, low, high) for values in zip(LOGP, old, ADVANTAGES, strict=True)
    ]
    torch.testing.assert_close(found.loss, tensor([loss for loss, _ in expected]))
    assert found.clipped.tolist() == [clipped for _, clipped in expected]
    assert found.kl.tolist() == [0.0] * len(LOGP)


def test_on_policy_the_gradient_is_that_of_plain_policy_gradient():
    logp = tensor(LOGP).requires_grad_()
    found = clipped_surrogate(logp, logp.detach(), tensor(ADVANTAGES), clip_low=0.2, clip_high=0.2)
    found.loss.sum().backward()
    torch.testing.assert_close(logp.grad, -tensor(ADVANTAGES))
    assert not found.clipped.any()


def test_clipped_tokens_have_no_gradient():
    logp = tensor(LOGP).requires_grad_()
    found = clipped_surrogate(logp, tensor(OLD), tensor(ADVANTAGES), clip_low=0.2, clip_high=0.28)
    found.loss.sum().backward()
    assert found.clipped.any()
    for i, (a, b, advantage) in enumerate(zip(LOGP, OLD, ADVANTAGES, strict=True)):
        expected = 0.0 if found.clipped[i] else -math.exp(a - b) * advantage
        assert float(logp.grad[i]) == pytest.approx(expected, abs=1e-12)


def test_k3_is_nonnegative_zero_at_equality_and_has_the_right_gradient():
    logp = tensor(LOGP).requires_grad_()
    found = k3(logp, tensor(REFERENCE))
    expected = [math.exp(r - p) - (r - p) - 1 for p, r in zip(LOGP, REFERENCE, strict=True)]
    torch.testing.assert_close(found.detach(), tensor(expected))
    assert bool((found >= 0).all())
    assert float(found[1].detach()) == 0.0
    found.sum().backward()
    slopes = [1 - math.exp(r - p) for p, r in zip(LOGP, REFERENCE, strict=True)]
    torch.testing.assert_close(logp.grad, tensor(slopes))


def test_k3_is_unbiased_for_the_divergence():
    policy = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    reference = torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64)
    divergence = (policy * (policy / reference).log()).sum()
    estimate = (policy * k3(policy.log(), reference.log())).sum()
    torch.testing.assert_close(estimate, divergence)


def test_the_kl_term_enters_loss_and_gradient_with_its_weight():
    logp = tensor(LOGP).requires_grad_()
    found = clipped_surrogate(
        logp,
        tensor(LOGP),
        tensor(ADVANTAGES),
        clip_low=0.2,
        clip_high=0.2,
        reference=tensor(REFERENCE),
        kl_coefficient=0.3,
    )
    kl = [math.exp(r - p) - (r - p) - 1 for p, r in zip(LOGP, REFERENCE, strict=True)]
    expected = [-a + 0.3 * k for a, k in zip(ADVANTAGES, kl, strict=True)]
    torch.testing.assert_close(found.loss.detach(), tensor(expected))
    torch.testing.assert_close(found.kl, tensor(kl))
    found.loss.sum().backward()
    slopes = [
        -a + 0.3 * (1 - math.exp(r - p))
        for p, r, a in zip(LOGP, REFERENCE, ADVANTAGES, strict=True)
    ]
    torch.testing.assert_close(logp.grad, tensor(slopes))


def test_without_a_weight_the_kl_is_only_reported():
    found = clipped_surrogate(
        tensor(LOGP),
        tensor(LOGP),
        tensor(ADVANTAGES),
        clip_low=0.2,
        clip_high=0.2,
        reference=tensor(REFERENCE),
    )
    torch.testing.assert_close(found.loss, -tensor(ADVANTAGES))
    assert float(found.kl.sum()) > 0
