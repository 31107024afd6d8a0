"""The output layer, fused with what is asked of it: never [targets, vocabulary] at once.

Logits are made for a chunk of targets at a time. Where a loss is a sum over tokens, one visit to a
chunk does everything: logits, log-probabilities, the loss and its derivatives, and from them the
gradients of states and weights. That is three matrix products, the fewest there can be. Losses that
need whole sequences first (ratios of sequences) visit each chunk twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from worldtune.engine.model.fused import (
    Chunks,
    Entropy,
    Objective,
    Targets,
    at_least_float32,
    evaluate,
)

__all__ = ["Entropy", "Head", "Objective", "TokenStats", "objective_loss", "score_targets"]


@dataclass(frozen=True)
class Head:
    """The output layer of a model: ``nn.Linear``, or anything that maps states to logits.

    Attributes:
        module: its weights may be tied to the embeddings, frozen, or without bias.
    """

    module: nn.Module

    def logits(self, states: Tensor) -> Tensor:
        """States [..., width] to logits [..., vocabulary]."""
        result: Tensor = self.module(states)
        return result

    @property
    def linear(self) -> nn.Linear | None:
        """The layer where it is nothing but a matrix and a bias; None where wrapped (LoRA)."""
        module = self.module
        is_hooked = bool(module._forward_hooks or module._forward_pre_hooks)
        if not isinstance(module, nn.Linear) or type(module) is not nn.Linear or is_hooked:
            return None
        return module


@dataclass(frozen=True)
class TokenStats:
    """What a policy says of target tokens, in nats; detached.

    Attributes:
        logp: [targets] log-probabilities, float32 (float64 in a float64 model).
        entropy: [targets] of the whole next-token distribution, or None where not asked for.
    """

    logp: Tensor
    entropy: Tensor | None = None


def _linear_chunks(states: Tensor, layer: nn.Linear, targets: Targets) -> Chunks:
    """In the type of autocast where it is on, else that of the weights."""
    weight, device = layer.weight.detach(), states.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    bias = None if layer.bias is None else layer.bias.detach()
    return Chunks(states.detach().to(dtype), weight.to(dtype), bias, targets)


class _FusedLoss(torch.autograd.Function):
    """A loss whose gradients exist once it is computed; backward hands them out, once."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        loss: Tensor,
        gradients: Sequence[Tensor | None],
    ) -> Tensor:
        """Tie the gradients of states, weight and bias to the loss."""
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients times ``scale``, in place, so that there is no second time."""
        if ctx.gradients is None:
            raise RuntimeError("objective_loss keeps its gradients for one backward pass only")
        gradients, ctx.gradients = ctx.gradients, None
        return *(g if g is None else g.mul_(scale) for g in gradients), None, None


def _fused_loss(
    states: Tensor, layer: nn.Linear, targets: Targets, objective: Objective, entropy: Entropy
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, log-probabilities and entropies."""
    inputs = (states, layer.weight, layer.bias)
    is_on = torch.is_grad_enabled()
    wanted = [x is not None and x.requires_grad and is_on for x in inputs]
    with torch.no_grad():
        chunks = _linear_chunks(states, layer, targets)
        with torch.autocast(states.device.type, enabled=False):
            loss, found = evaluate(chunks, objective, entropy=entropy, wanted=wanted)
        gradients = [
            g if g is None else g.to(x.dtype)
            for g, x in zip((found.states, found.weight, found.bias), inputs, strict=True)
        ]
    if any(wanted):
        loss = _FusedLoss.apply(*inputs, loss, gradients)  # type: ignore[no-untyped-call]
    return loss, chunks.logp, chunks.entropy


def _wrapped_stats(
    head: Head, states: Tensor, targets: Targets, *, entropy: bool
) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies [targets] by any module, recomputed in the backward pass."""

    def visit(states: Tensor, part: slice) -> tuple[Tensor, Tensor]:
        logits = head.logits(states)
        logits = logits.to(at_least_float32(logits.dtype)) / targets.temperature
        every = targets.restrict(logits, part).log_softmax(dim=-1)
        logp = every.gather(-1, targets.ids[part, None]).squeeze(-1)
        return logp, -(every.exp() * every).sum(dim=-1) if entropy else torch.zeros_like(logp)

    with torch.no_grad():
        vocabulary = head.logits(states[:1]).shape[-1]
    parts = targets.parts(vocabulary, at_least_float32(states.dtype).itemsize)
    visits = [checkpoint(visit, states[part], part, use_reentrant=False) for part in parts]
    logp, uncertain = zip(*visits, strict=True)
    return torch.cat(logp), torch.cat(uncertain)


def score_targets(
    head: Head,
    states: Tensor,
    targets: Tensor,
    *,
    temperature: float = 1.0,
    entropy: bool = False,
    chunk: int | None = None,
    masks: Tensor | None = None,
    allowed: Tensor | None = None,
) -> TokenStats:
    """Log-probabilities of targets, without gradients.

    Args:
        head: the output layer.
        states: [targets, width] the state that predicts each target.
        targets: [targets] token ids.
        temperature: the logits are divided by it.
        entropy: whether to measure entropies too.
        chunk: targets at a time; None takes as many as suit the device.
        masks: [masks, vocabulary] bool, sets of tokens that may be sampled, or None for all.
        allowed: [targets] the row of ``masks`` that each target was drawn under.
    """
    asked = Targets(targets, temperature, masks, allowed, chunk)
    layer = head.linear
    with torch.no_grad():
        if layer is None:
            logp, uncertain = _wrapped_stats(head, states, asked, entropy=entropy)
            return TokenStats(logp, uncertain if entropy else None)
        chunks = _linear_chunks(states, layer, asked)
        with torch.autocast(states.device.type, enabled=False):
            for part in chunks.parts:
                chunks.visit(part, entropy=entropy)
    return TokenStats(chunks.logp, chunks.entropy if entropy else None)


def objective_loss(
    head: Head,
    states: Tensor,
    targets: Tensor,
    objective: Objective,
    *,
    temperature: float = 1.0,
    entropy: Entropy = "none",
    chunk: int | None = None,
    masks: Tensor | None = None,
    allowed: Tensor | None = None,
) -> tuple[Tensor, TokenStats]:
    """A loss of the targets, differentiable in the states and in the head's weights.

    The other arguments are those of score_targets. ``entropy`` says whether the objective is told
    the entropies, and whether gradients flow through them. The gradients are made here, as far as
    they are wanted, summed over chunks in at least float32; the loss can be walked backwards once.

    Returns:
        The loss, a scalar, and the detached statistics of the targets.
    """
    asked = Targets(targets, temperature, masks, allowed, chunk)
    layer = head.linear
    if layer is not None:
        loss, logp, uncertain = _fused_loss(states, layer, asked, objective, entropy)
    else:
        logp, uncertain = _wrapped_stats(head, states, asked, entropy=entropy != "none")
        if entropy == "value":
            uncertain = uncertain.detach()
        shown = None if entropy == "none" else uncertain
        loss = objective(logp, shown, slice(0, len(targets)))
    return loss, TokenStats(logp.detach(), None if entropy == "none" else uncertain.detach())
