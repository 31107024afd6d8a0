"""Optimisers and the learning-rate schedule.

Muon (Jordan et al., 2024; torch.optim.Muon) orthogonalises the update of every hidden matrix and
learns small models from scratch in about half the steps of AdamW; embeddings, output layer, norms
and biases stay with AdamW.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from worldtune.config import OptimizerConfig
from worldtune.errors import UserError


def schedule_factor(step: int, steps: int, config: OptimizerConfig) -> float:
    """The learning rate at ``step`` (0-based) of ``steps`` as a share of the peak, in (0, 1]."""
    warmup = round(steps * config.warmup_fraction)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    decay = round(steps * config.decay_fraction)
    remaining = steps - step
    if config.schedule == "constant" or remaining > decay:
        return 1.0
    left = remaining / (decay + 1)
    shape = left if config.schedule == "linear" else 0.5 - 0.5 * math.cos(math.pi * left)
    return config.final_fraction + (1 - config.final_fraction) * shape


def _is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    return parameter.ndim == 2 and not any(part in name for part in ("embed", "lm_head", "wte"))


def build_optimizers(model: nn.Module, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """One or two optimisers over the trainable parameters; each group remembers its peak rate."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    matrices = [p for n, p in named if _is_hidden_matrix(n, p)] if config.kind == "muon" else []
    taken = {id(p) for p in matrices}
    rest = [p for _, p in named if id(p) not in taken]
    optimizers: list[torch.optim.Optimizer] = []
    if matrices:
        optimizers.append(
            torch.optim.Muon(
                matrices, lr=config.muon_learning_rate, weight_decay=config.weight_decay
            )
        )
    if rest:
        optimizers.append(
            torch.optim.AdamW(
                rest,
                lr=config.learning_rate,
                betas=config.betas,
                weight_decay=config.weight_decay,
                eps=1e-8,
                fused=True,  # one pass over weights, gradients and moments
            )
        )
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def set_rate(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> None:
    """Set every learning rate to its peak times ``factor``."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor


def apply_update(
    model: nn.Module, optimizers: Iterable[torch.optim.Optimizer], max_grad_norm: float
) -> float:
    """Clip, step and clear the gradients; returns the gradient norm before clipping.

    Raises UserError where the gradient is not finite; the weights then stay as they are.
    """
    moved = [p for p in model.parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm([p.grad for p in moved if p.grad is not None])
    found = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
    if not math.isfinite(found):
        raise UserError(
            f"the norm of the gradient is {found}; the weights are as they were before this step. "
            "Lower optimizer.learning_rate (or muon_learning_rate), or set launch.mixed_precision "
            "to 'no'"
        )
    if found > max_grad_norm:
        nn.utils.clip_grads_with_norm_(moved, max_grad_norm, norm)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return found
