"""The policy-gradient loss, token by token; pure functions of tensors."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PolicyLoss:
    """Per-token loss and diagnostics, each [tokens].

    loss: to be summed and divided by the global number of tokens. clipped: whether the clip was
    active. kl: k3 estimate of KL(policy || reference), >= 0, nats; zeros without a reference.
    """

    loss: Tensor
    clipped: Tensor
    kl: Tensor


def k3(logp: Tensor, reference: Tensor) -> Tensor:
    """Low-variance, unbiased, non-negative estimate of KL(policy || reference) (Schulman, 2020)."""
    gap = reference - logp
    return gap.exp() - gap - 1.0


def clipped_surrogate(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    reference: Tensor | None = None,
    kl_coefficient: float = 0.0,
) -> PolicyLoss:
    """GRPO's loss (paper, eq. 4; Shao et al., 2024, eq. 3).

    Args:
        logp: [tokens] under the policy that is trained, nats.
        old_logp: [tokens] under the policy that sampled.
        advantages: [tokens] of the completion that each token belongs to.
        clip_low: the ratio is clipped at 1 - clip_low.
        clip_high: and at 1 + clip_high.
        reference: [tokens] under the reference policy, for the KL term.
        kl_coefficient: weight of the KL term.
    """
    ratio = (logp - old_logp).exp()
    unclipped = ratio * advantages
    clipped = ratio.clamp(1.0 - clip_low, 1.0 + clip_high) * advantages
    loss = -torch.minimum(unclipped, clipped)
    kl = torch.zeros_like(logp) if reference is None else k3(logp, reference)
    if kl_coefficient:
        loss = loss + kl_coefficient * kl
    return PolicyLoss(loss, (clipped < unclipped).detach(), kl.detach())
