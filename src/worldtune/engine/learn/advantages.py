"""From the rewards of a group of completions to advantages; pure functions of tensors.

All estimators compare a completion with the others of its prompt and need no value model. A group
whose rewards are all alike says nothing about which completion is better: its advantages are
exactly 0, not rounding noise divided by a vanishing standard deviation.
"""

import torch
from torch import Tensor

from worldtune.config.rlvr import Algorithm

STD_EPSILON = 1e-6
"""Added to standard deviations, as the paper's code does."""

ZERO_SIGNAL = 1e-6
"""Rewards spread over less than this times the largest (or 1) are alike: a few roundings of
float32, which the same reward summed in another order may differ by."""


def is_signal(rewards: Tensor) -> Tensor:
    """Which groups teach anything: bool [groups] for rewards [groups, samples]."""
    scale = rewards.abs().amax(dim=1).clamp(min=1.0)
    return rewards.amax(dim=1) - rewards.amin(dim=1) > ZERO_SIGNAL * scale


def _centred(rewards: Tensor) -> Tensor:
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return torch.where(is_signal(rewards)[:, None], centred, torch.zeros_like(centred))


def batch_moments(rewards: Tensor) -> Tensor:
    """What finish_std needs of rewards [groups, samples]: float64 [2], to be summed over processes.

    The number of completions and the sum of their squared distances from the mean of their group.
    """
    centred = _centred(rewards.double())
    return torch.stack([centred.new_tensor(float(centred.numel())), centred.square().sum()])


def finish_std(moments: Tensor) -> Tensor:
    """The unbiased standard deviation, a scalar, of centred rewards with these summed moments."""
    return (moments[1] / (moments[0] - 1).clamp(min=1)).sqrt()


def advantages(kind: Algorithm, rewards: Tensor, *, batch_std: Tensor | None = None) -> Tensor:
    """How much better each completion is than its group.

    Args:
        kind: grpo: centred, over the unbiased standard deviation of the group (paper, eq. 3; Shao
            et al., 2024); dr_grpo: centred only, without the bias towards groups of little spread
            (Liu et al., 2025); rloo: against the mean of the other completions (Ahmadian et al.,
            2024); reinforce_pp: centred, over the standard deviation of the whole batch
            (REINFORCE++ with baseline; Hu et al., 2025).
        rewards: [groups, samples], at least two samples.
        batch_std: needed by reinforce_pp: what finish_std makes of the moments of all processes.

    Returns:
        [groups, samples], of mean 0 in each group; exactly 0 in groups without spread.
    """
    samples = rewards.shape[1]
    if samples < 2:
        raise ValueError(f"rlvr.group_size must be at least 2 to compare, found {samples}")
    centred = _centred(rewards)
    if kind == "grpo":
        return centred / (rewards.std(dim=1, keepdim=True) + STD_EPSILON)
    if kind == "rloo":
        return centred * (samples / (samples - 1))
    if kind == "reinforce_pp":
        if batch_std is None:
            raise ValueError(
                "reinforce_pp needs the standard deviation of the batch: pass batch_std"
            )
        return centred / (batch_std.to(centred) + STD_EPSILON)
    return centred
