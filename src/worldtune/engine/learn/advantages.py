"""From the rewards of a group to advantages."""

import torch
from torch import Tensor

STD_EPSILON = 1e-6
"""Added to the standard deviation, as the paper's code does."""

ZERO_SIGNAL = 1e-8
"""A group whose rewards spread less than this teaches nothing."""


def group_advantages(rewards: Tensor, *, normalize_std: bool) -> Tensor:
    """Group-relative advantages (paper, eq. 3).

    Args:
        rewards: [groups, samples].
        normalize_std: divide by the group's standard deviation (unbiased); False leaves the scale
            of the reward, which removes the bias towards easy and hard prompts (Dr. GRPO).

    Returns:
        [groups, samples]; exactly 0 in groups without spread.
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    spread = rewards.amax(dim=1, keepdim=True) - rewards.amin(dim=1, keepdim=True)
    if normalize_std:
        centred = centred / (rewards.std(dim=1, keepdim=True) + STD_EPSILON)
    return torch.where(spread > ZERO_SIGNAL, centred, torch.zeros_like(centred))
