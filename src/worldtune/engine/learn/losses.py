"""The policy-gradient losses, token by token; pure functions of tensors.

A loss is a weighted sum over tokens: how tokens are averaged is in their weights, made once from
counts that may be summed over passes and processes, so that no split of a batch changes its loss.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from worldtune.config import LossConfig

KlEstimator = Literal["k1", "k2", "k3"]
Aggregation = Literal["token", "sequence", "constant"]

MAX_LOG_RATIO = 20.0
"""Log-ratios are clamped to this, nats, before they are exponents: far, but never infinite."""


@dataclass(frozen=True)
class LossTokens:
    """The target tokens of a batch, or a part of them; all [tokens].

    Attributes:
        logp: nats, under the policy that is trained.
        old_logp: nats, under the policy that sampled, without gradient.
        advantages: of the completion that each token belongs to.
        sequence: index of that completion; gspo needs all tokens of a completion at once.
    """

    logp: Tensor
    old_logp: Tensor
    advantages: Tensor
    sequence: Tensor


@dataclass(frozen=True)
class PolicyLoss:
    """The loss of each token before weighting, and diagnostics without gradient; all [tokens].

    Attributes:
        loss: differentiable in the log-probabilities.
        ratio: of the current to the sampling policy; gspo: of the completion, per token.
        clipped_low: whether the lower bound of the ratio was active.
        clipped_high: whether an upper bound was, dual_clip included.
    """

    loss: Tensor
    ratio: Tensor
    clipped_low: Tensor
    clipped_high: Tensor


def _ratio(log_ratio: Tensor) -> Tensor:
    return log_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()


def _surrogate(ratio: Tensor, advantages: Tensor, config: LossConfig) -> PolicyLoss:
    """-min(ratio A, clip(ratio) A), and at most dual_clip |A| where A < 0."""
    low, high = 1.0 - config.clip_low, 1.0 + config.clip_high
    loss = -torch.minimum(ratio * advantages, ratio.clamp(low, high) * advantages)
    is_good, is_bad = advantages > 0, advantages < 0
    ratio = ratio.detach()
    clipped_high = is_good & (ratio > high)
    if config.dual_clip is not None:
        loss = torch.where(is_bad, torch.minimum(loss, -config.dual_clip * advantages), loss)
        clipped_high = clipped_high | (is_bad & (ratio > config.dual_clip))
    return PolicyLoss(loss, ratio, is_bad & (ratio < low), clipped_high)


def ppo(tokens: LossTokens, config: LossConfig) -> PolicyLoss:
    """The clipped ratio per token (paper, eq. 4; Schulman et al., 2017).

    clip_high above clip_low is DAPO's clip-higher (Yu et al., 2025); dual_clip bounds the loss of
    bad completions (Ye et al., 2020).
    """
    return _surrogate(_ratio(tokens.logp - tokens.old_logp), tokens.advantages, config)


def gspo(tokens: LossTokens, config: LossConfig) -> PolicyLoss:
    """The clipped ratio per completion, the geometric mean over its tokens (Zheng et al., 2025).

    Every token bears the loss of its completion.
    """
    log_ratio, sequence = tokens.logp - tokens.old_logp, tokens.sequence
    lengths = sequence.bincount().clamp(min=1)
    sums = log_ratio.new_zeros(len(lengths)).index_add(0, sequence, log_ratio)
    return _surrogate(_ratio(sums / lengths)[sequence], tokens.advantages, config)


def cispo(tokens: LossTokens, config: LossConfig) -> PolicyLoss:
    """Policy gradient under a clipped importance weight without gradient (MiniMax-M1, 2025, eq. 4).

    No token loses its gradient; clip_low = 1 leaves the weight unbounded below, as is usual.
    """
    low, high = 1.0 - config.clip_low, 1.0 + config.clip_high
    ratio = _ratio(tokens.logp.detach() - tokens.old_logp)
    loss = -ratio.clamp(low, high) * tokens.advantages * tokens.logp
    matters = tokens.advantages != 0
    return PolicyLoss(loss, ratio, matters & (ratio < low), matters & (ratio > high))


_KINDS = {"ppo": ppo, "gspo": gspo, "cispo": cispo}


def policy_loss(config: LossConfig, tokens: LossTokens) -> PolicyLoss:
    """The loss of the kind that ``config`` names."""
    return _KINDS[config.kind](tokens, config)


def kl_loss(estimator: KlEstimator, logp: Tensor, reference: Tensor) -> Tensor:
    """Estimates [tokens] of KL(policy || reference), nats, at tokens drawn from the policy.

    k1: log-ratio, unbiased, any sign; k2: half its square, >= 0, whose expected gradient on-policy
    is that of the KL; k3: unbiased and >= 0, of little variance (Schulman, 2020). Differentiable as
    they stand, as in other libraries; the gradient of k1 has mean 0 on-policy, so that k1 belongs
    into the reward.
    """
    gap = reference - logp
    if estimator == "k1":
        return -gap
    if estimator == "k2":
        return 0.5 * gap.square()
    return gap.clamp(max=MAX_LOG_RATIO).exp() - gap - 1.0


def kl_value(estimator: KlEstimator, logp: Tensor, reference: Tensor) -> Tensor:
    """The same estimates without gradient, for rewards and logs."""
    return kl_loss(estimator, logp.detach(), reference)


def token_weights(
    aggregation: Aggregation,
    lengths: Tensor,
    *,
    num_tokens: int,
    num_sequences: int,
    max_new_tokens: int,
) -> Tensor:
    """The weight of each token in the loss of an update.

    Completions that are left out (truncated ones) have no tokens here and are not counted.

    Args:
        aggregation: token: all tokens weigh alike (DAPO); sequence: all completions do (GRPO);
            constant: tokens weigh alike and the scale does not depend on lengths (Dr. GRPO).
        lengths: [tokens] trained tokens of the completion that each token belongs to.
        num_tokens: trained tokens of the whole update, over its passes and processes.
        num_sequences: completions of the whole update that have any.
        max_new_tokens: the most tokens that a completion may have.

    Returns:
        [tokens], float64; over an update they sum to 1 for token and sequence.
    """
    lengths = lengths.double()
    if aggregation == "token":
        return torch.full_like(lengths, 1.0 / max(1, num_tokens))
    if aggregation == "constant":
        return torch.full_like(lengths, 1.0 / max(1, num_sequences * max_new_tokens))
    return 1.0 / (lengths * max(1, num_sequences))
