"""Losses, divergences and weights against scalar arithmetic written independently, in float64."""

import math

import pytest
import torch

from worldtune.config import LossConfig
from worldtune.engine.learn.losses import (
    LossTokens,
    kl_loss,
    kl_value,
    policy_loss,
    token_weights,
)

LOGP = [-0.5, -1.2, -2.0, -0.1, -3.0, -0.7, -0.9]
OLD = [-0.5, -1.0, -2.9, -0.8, -2.2, -0.7, -4.9]
REFERENCE = [-0.6, -1.2, -1.1, -0.3, -3.3, -0.2, -0.9]
ADVANTAGES = [1.5, -0.5, 1.0, -2.0, -1.0, 0.0, -0.3]
SEQUENCE = [0, 1, 0, 1, 1, 2, 3]
KINDS = ("ppo", "gspo", "cispo")


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def tokens(logp, old=OLD, advantages=ADVANTAGES, sequence=SEQUENCE):
    return LossTokens(logp, tensor(old), tensor(advantages), torch.tensor(sequence))


def of_sequences(advantages):
    """One advantage per completion, as all tokens of one share theirs."""
    return [advantages[SEQUENCE.index(s)] for s in SEQUENCE]


def scalar_surrogate(ratio, advantage, config):
    """The loss, its slope by the ratio, and which bound was active, case by case."""
    low, high = 1 - config.clip_low, 1 + config.clip_high
    if advantage > 0 and ratio > high:
        return -high * advantage, 0.0, "high"
    if advantage < 0 and ratio < low:
        return -low * advantage, 0.0, "low"
    if advantage < 0 and config.dual_clip is not None and ratio > config.dual_clip:
        return -config.dual_clip * advantage, 0.0, "high"
    return -ratio * advantage, -advantage, None


def check(config, advantages, expected_loss, expected_slope, bounds):
    logp = tensor(LOGP).requires_grad_()
    found = policy_loss(config, tokens(logp, advantages=advantages))
    torch.testing.assert_close(found.loss.detach(), tensor(expected_loss), rtol=1e-13, atol=1e-13)
    weights = tensor([0.3, 0.1, 0.7, 0.2, 0.9, 0.4, 0.6])
    (weights * found.loss).sum().backward()
    torch.testing.assert_close(logp.grad, expected_slope(weights.tolist()), rtol=1e-13, atol=1e-13)
    assert found.clipped_low.tolist() == [b == "low" for b in bounds]
    assert found.clipped_high.tolist() == [b == "high" for b in bounds]
    assert not found.ratio.requires_grad


@pytest.mark.parametrize("dual", [None, 3.0])
@pytest.mark.parametrize(("low", "high"), [(0.2, 0.2), (0.2, 0.28), (0.05, 0.6)])
def test_ppo_equals_the_case_by_case_formula(low, high, dual):
    config = LossConfig(kind="ppo", clip_low=low, clip_high=high, dual_clip=dual)
    ratios = [math.exp(a - b) for a, b in zip(LOGP, OLD, strict=True)]
    cases = [scalar_surrogate(r, a, config) for r, a in zip(ratios, ADVANTAGES, strict=True)]
    losses, slopes, bounds = zip(*cases, strict=True)
    assert {"low", "high", None} == set(bounds)

    def slope(weights):
        return tensor([w * s * r for w, s, r in zip(weights, slopes, ratios, strict=True)])

    check(config, ADVANTAGES, losses, slope, bounds)


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.28), (3e-4, 4e-4), (0.9, 5.0)])
def test_gspo_equals_the_case_by_case_formula_over_completions(low, high):
    config = LossConfig(kind="gspo", clip_low=low, clip_high=high)
    advantages = of_sequences(ADVANTAGES)
    places = {s: [i for i, own in enumerate(SEQUENCE) if own == s] for s in set(SEQUENCE)}
    mean = {s: sum(LOGP[i] - OLD[i] for i in own) / len(own) for s, own in places.items()}
    ratios = [math.exp(mean[s]) for s in SEQUENCE]
    cases = [scalar_surrogate(r, a, config) for r, a in zip(ratios, advantages, strict=True)]
    losses, slopes, bounds = zip(*cases, strict=True)

    def slope(weights):
        """A log-probability moves the ratio of its completion, in the loss of all its tokens."""
        total = {s: sum(weights[i] for i in own) for s, own in places.items()}
        return tensor(
            [
                total[s] * g * r / len(places[s])
                for s, g, r in zip(SEQUENCE, slopes, ratios, strict=True)
            ]
        )

    check(config, advantages, losses, slope, bounds)
    found = policy_loss(config, tokens(tensor(LOGP), advantages=advantages))
    torch.testing.assert_close(found.ratio, tensor(ratios))


@pytest.mark.parametrize(("low", "high"), [(1.0, 5.0), (1.0, 0.3), (0.1, 0.28)])
def test_cispo_equals_the_weighted_policy_gradient(low, high):
    config = LossConfig(kind="cispo", clip_low=low, clip_high=high)
    ratios = [math.exp(a - b) for a, b in zip(LOGP, OLD, strict=True)]
    kept = [min(max(r, 1 - low), 1 + high) for r in ratios]
    losses = [-k * a * p for k, a, p in zip(kept, ADVANTAGES, LOGP, strict=True)]
    bounds = [
        None if a == 0 or r == k else ("low" if r < k else "high")
        for r, k, a in zip(ratios, kept, ADVANTAGES, strict=True)
    ]

    def slope(weights):
        return tensor([-w * k * a for w, k, a in zip(weights, kept, ADVANTAGES, strict=True)])

    check(config, ADVANTAGES, losses, slope, bounds)


@pytest.mark.parametrize("kind", KINDS)
def test_on_policy_the_gradient_is_that_of_plain_policy_gradient(kind):
    logp = tensor(LOGP).requires_grad_()
    advantages = of_sequences(ADVANTAGES)
    found = policy_loss(LossConfig(kind=kind), tokens(logp, old=LOGP, advantages=advantages))
    found.loss.sum().backward()
    torch.testing.assert_close(logp.grad, -tensor(advantages))
    assert not (found.clipped_low | found.clipped_high).any()
    assert found.ratio.tolist() == [1.0] * len(LOGP)


@pytest.mark.parametrize("kind", KINDS)
def test_completions_without_advantage_have_no_loss_and_no_gradient(kind):
    logp = tensor(LOGP).requires_grad_()
    found = policy_loss(LossConfig(kind=kind), tokens(logp, advantages=[0.0] * len(LOGP)))
    found.loss.sum().backward()
    assert float(found.loss.detach().abs().sum() + logp.grad.abs().sum()) == 0.0
    assert not (found.clipped_low | found.clipped_high).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("logp", [0.0, -1e30])
def test_no_log_probability_makes_loss_or_gradient_infinite(kind, logp):
    leaf = tensor([logp, logp, logp]).requires_grad_()
    one = LossTokens(leaf, tensor([-1e30, 0.0, -500.0]), tensor([0.0, -1.0, 1.0]), torch.arange(3))
    loss = policy_loss(LossConfig(kind=kind), one).loss
    loss.sum().backward()
    assert bool(loss.isfinite().all()) and bool(leaf.grad.isfinite().all())


def test_gspo_takes_completions_of_which_no_token_is_trained():
    one = LossTokens(tensor([-1.0]), tensor([-1.5]), tensor([2.0]), torch.tensor([3]))
    loss = policy_loss(LossConfig(kind="gspo", clip_high=1.0), one).loss
    assert loss.tolist() == pytest.approx([-2.0 * math.exp(0.5)])


@pytest.mark.parametrize("kind", KINDS)
def test_in_float32_the_loss_stays_in_float32(kind):
    one = LossTokens(*(torch.tensor(v) for v in (LOGP, OLD, ADVANTAGES, SEQUENCE)))
    assert policy_loss(LossConfig(kind=kind), one).loss.dtype == torch.float32


SCALAR_KL = {
    "k1": (lambda p, q: p - q, lambda p, q: 1.0),
    "k2": (lambda p, q: (p - q) ** 2 / 2, lambda p, q: p - q),
    "k3": (lambda p, q: math.exp(q - p) - (q - p) - 1, lambda p, q: 1 - math.exp(q - p)),
}


@pytest.mark.parametrize("estimator", SCALAR_KL)
def test_divergences_equal_their_formulas_and_slopes(estimator):
    value, slope = SCALAR_KL[estimator]
    pairs = list(zip(LOGP, REFERENCE, strict=True))
    logp = tensor(LOGP).requires_grad_()
    found = kl_loss(estimator, logp, tensor(REFERENCE))
    torch.testing.assert_close(found.detach(), tensor([value(p, q) for p, q in pairs]))
    found.sum().backward()
    torch.testing.assert_close(logp.grad, tensor([slope(p, q) for p, q in pairs]))
    shown = kl_value(estimator, logp, tensor(REFERENCE))
    assert torch.equal(shown, found.detach()) and not shown.requires_grad
    assert estimator == "k1" or bool((shown >= 0).all())
    assert float(shown[1]) == 0.0, "policy and reference agree there"


def test_k3_stays_finite_in_float32():
    logp = torch.tensor([-200.0]).requires_grad_()
    kl_loss("k3", logp, torch.tensor([0.0])).sum().backward()
    assert bool(logp.grad.isfinite().all())


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_k1_and_k3_are_unbiased(estimator):
    policy, reference = tensor([0.5, 0.3, 0.2]), tensor([0.2, 0.2, 0.6])
    divergence = (policy * (policy / reference).log()).sum()
    estimate = (policy * kl_value(estimator, policy.log(), reference.log())).sum()
    torch.testing.assert_close(estimate, divergence)


def test_the_expected_gradient_of_k2_is_that_of_the_divergence():
    scores = tensor([0.3, -0.4, 0.9]).requires_grad_()
    reference = tensor([0.2, 0.2, 0.6]).log()
    logp = scores.log_softmax(0)
    divergence = (logp.exp() * (logp - reference)).sum()
    (expected,) = torch.autograd.grad(divergence, scores, retain_graph=True)
    sampled = (logp.detach().exp() * kl_loss("k2", logp, reference)).sum()
    (found,) = torch.autograd.grad(sampled, scores)
    torch.testing.assert_close(found, expected)


LENGTHS = {0: 2, 1: 3, 2: 1, 3: 1}
COUNTS = {"num_tokens": 7, "num_sequences": 4, "max_new_tokens": 10}


def weights_of(aggregation, sequences=SEQUENCE, **counts):
    lengths = torch.tensor([LENGTHS[s] for s in sequences])
    return token_weights(aggregation, lengths, **COUNTS | counts).tolist()


def test_weights_by_hand():
    assert weights_of("token") == pytest.approx([1 / 7] * 7)
    assert weights_of("constant") == pytest.approx([1 / 40] * 7)
    expected = [1 / 8, 1 / 12, 1 / 8, 1 / 12, 1 / 12, 1 / 4, 1 / 4]
    assert weights_of("sequence") == pytest.approx(expected)


@pytest.mark.parametrize("aggregation", ["token", "sequence"])
def test_weights_of_an_update_sum_to_one_however_it_is_split(aggregation):
    parts = [[0, 1, 0, 1, 1], [2], [3]]
    total = sum(sum(weights_of(aggregation, part)) for part in parts)
    assert total == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("aggregation", ["token", "sequence", "constant"])
def test_an_update_without_tokens_has_no_weights(aggregation):
    assert weights_of(aggregation, [], num_tokens=0, num_sequences=0) == []
