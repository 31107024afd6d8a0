"""One evaluation of a linear output layer, chunk by chunk, in buffers that all chunks share.

With z the logits over the temperature, p their softmax, l = z_target - lse(z) the log-probability
and H = lse(z) - sum p z the entropy:  dl/dz = 1[target] - p  and  dH/dz = -p (log p + H).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

CHUNK_BYTES = {"cpu": 16 * 2**20, "cuda": 512 * 2**20}
"""Of the logits of a chunk: within the last cache of a CPU, few kernel launches on a GPU."""

MIN_ROWS = 256
"""Rows of a chunk at any vocabulary: every chunk reads all weights, which few rows do not repay."""

BLOCKED = -1e30
"""Logit of a token outside the mask: its probability is exactly 0, and 0 times it is not NaN."""

Entropy = Literal["none", "value", "gradient"]


class Objective(Protocol):
    """A loss of target tokens.

    It is shown every target once: chunk by chunk where it is token-wise, else all in one call.
    """

    @property
    def token_wise(self) -> bool:
        """Whether the loss is a sum over tokens, none of which depends on another."""

    def __call__(self, logp: Tensor, entropy: Tensor | None, select: slice) -> Tensor:
        """The weighted sum of the losses of the targets in ``select``, a differentiable scalar."""


@dataclass(frozen=True)
class Targets:
    """What is asked of states [targets, width].

    Attributes:
        ids: [targets] token ids.
        temperature: the logits are divided by it.
        masks: [masks, vocabulary] bool, sets of tokens that may be sampled, or None for all.
        allowed: [targets] the row of ``masks`` that each target was drawn under.
        chunk: targets at a time; None fits CHUNK_BYTES.
    """

    ids: Tensor
    temperature: float = 1.0
    masks: Tensor | None = None
    allowed: Tensor | None = None
    chunk: int | None = None

    def __post_init__(self) -> None:
        if (self.masks is None) != (self.allowed is None):
            raise ValueError("masks and allowed belong together: pass both or neither")

    def parts(self, vocabulary: int, itemsize: int) -> Iterator[slice]:
        """Slices of about equal length, each within the bytes of a chunk; one even if empty."""
        count = len(self.ids)
        budget = CHUNK_BYTES.get(self.ids.device.type, CHUNK_BYTES["cuda"])
        limit = self.chunk or max(MIN_ROWS, budget // (vocabulary * itemsize))
        rows = -(-count // max(1, -(-count // limit)))
        yield from (slice(i, min(i + rows, count)) for i in range(0, max(1, count), max(1, rows)))

    def restrict(self, logits: Tensor, part: slice) -> Tensor:
        """Block the tokens outside the mask of each target of a part, in place."""
        if self.masks is None or self.allowed is None:
            return logits
        return logits.masked_fill_(~self.masks[self.allowed[part]], BLOCKED)


@dataclass(frozen=True)
class Slopes:
    """A loss, and its derivatives [targets] by log-probability and, where wanted, by entropy."""

    loss: Tensor
    by_logp: Tensor
    by_entropy: Tensor | None

    def at(self, part: slice) -> "Slopes":
        """Those of some targets."""
        by_entropy = None if self.by_entropy is None else self.by_entropy[part]
        return Slopes(self.loss, self.by_logp[part], by_entropy)


def slopes_of(
    objective: Objective, logp: Tensor, entropy: Tensor, select: slice, *, mode: Entropy
) -> Slopes:
    """The objective and its derivatives at statistics [targets in select]."""
    with torch.enable_grad():
        logp = logp.detach().requires_grad_()
        shown = None if mode == "none" else entropy.detach()
        leaves = [logp]
        if shown is not None and mode == "gradient":
            leaves.append(shown.requires_grad_())
        loss = objective(logp, shown, select)
    if not loss.requires_grad:
        return Slopes(loss, torch.zeros_like(logp), None)
    by_logp, *by_entropy = torch.autograd.grad(
        loss, leaves, allow_unused=True, materialize_grads=True
    )
    return Slopes(loss.detach(), by_logp, by_entropy[0] if by_entropy else None)


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """The type of softmax, statistics and sums over chunks."""
    return torch.promote_types(dtype, torch.float32)


def _multiply(out: Tensor, left: Tensor, right: Tensor, *, add: bool) -> Tensor:
    """Left @ right into or onto ``out``, which may be of a wider type than the factors."""
    if out.dtype == left.dtype:
        return out.addmm_(left, right, beta=int(add))
    product = left @ right
    return out.add_(product) if add else out.copy_(product)


class Chunks:
    """The visits to all chunks. States and weights come in the type of the matrix products.

    Attributes:
        logp, entropy: [targets] statistics of the chunks visited so far.
        parts: the chunks, slices of the targets.
    """

    def __init__(self, states: Tensor, weight: Tensor, bias: Tensor | None, targets: Targets):
        wide = at_least_float32(weight.dtype)
        self.states, self.weight, self.targets = states, weight, targets
        self.bias = None if bias is None else bias.to(wide)
        self.parts = list(targets.parts(weight.shape[0], wide.itemsize))
        rows = max(part.stop - part.start for part in self.parts)
        self._scaled = states.new_empty((rows, weight.shape[0]), dtype=wide)
        self._shares = torch.empty_like(self._scaled)
        self._offset = self._scaled.new_zeros(len(states))
        self.logp = torch.zeros_like(self._offset)
        self.entropy = torch.zeros_like(self._offset)

    def visit(self, part: slice, *, entropy: bool) -> None:
        """Make the logits, probabilities and statistics of one chunk."""
        rows = part.stop - part.start
        scaled = _multiply(self._scaled[:rows], self.states[part], self.weight.t(), add=False)
        if self.bias is not None:
            scaled.add_(self.bias)
        if self.targets.temperature != 1.0:
            scaled.div_(self.targets.temperature)
        self.targets.restrict(scaled, part)
        shares = torch.softmax(scaled, dim=-1, out=self._shares[:rows])
        # lse by the largest share, which is at least 1 / vocabulary: one exponential per logit,
        # not the two of log_softmax and its inverse.
        offset = scaled.amax(dim=-1) - shares.amax(dim=-1).log()
        self._offset[part] = offset
        self.logp[part] = scaled.gather(-1, self.targets.ids[part, None]).squeeze(-1) - offset
        if entropy:
            self.entropy[part] = offset - torch.bmm(shares[:, None], scaled[:, :, None]).flatten()

    def logit_slopes(self, part: slice, slopes: Slopes) -> Tensor:
        """The derivatives [rows, vocabulary] by the logits of the chunk that was visited last.

        They take the place of its probabilities.
        """
        rows = part.stop - part.start
        result = self._shares[:rows]
        by_logp = slopes.by_logp / self.targets.temperature
        if slopes.by_entropy is None:
            result.mul_(-by_logp[:, None])
        else:
            by_entropy = slopes.by_entropy / self.targets.temperature
            # p (-by_logp - by_entropy (log p + H)), with log p = scaled - offset
            shift = by_entropy * (self._offset[part] - self.entropy[part]) - by_logp
            factor = self._scaled[:rows].mul_(-by_entropy[:, None]).add_(shift[:, None])
            result.mul_(factor)
        return result.scatter_add_(-1, self.targets.ids[part, None], by_logp[:, None])


class Gradients:
    """Gradients of states, weight and bias, each None where not wanted, summed over the chunks."""

    def __init__(self, chunks: Chunks, wanted: Sequence[bool]):
        self._chunks = chunks
        wide = at_least_float32(chunks.weight.dtype)
        self.states = torch.empty_like(chunks.states) if wanted[0] else None
        self.weight = torch.zeros_like(chunks.weight, dtype=wide) if wanted[1] else None
        self.bias = None
        if wanted[2] and chunks.bias is not None:
            self.bias = torch.zeros_like(chunks.bias)

    def add(self, part: slice, logit_slopes: Tensor) -> None:
        """Take in a chunk."""
        if self.bias is not None:
            self.bias.add_(logit_slopes.sum(dim=0))
        slopes = logit_slopes.to(self._chunks.states.dtype)
        if self.states is not None:
            torch.mm(slopes, self._chunks.weight, out=self.states[part])
        if self.weight is not None:
            _multiply(self.weight, slopes.t(), self._chunks.states[part], add=True)


def evaluate(
    chunks: Chunks, objective: Objective, *, entropy: Entropy, wanted: Sequence[bool]
) -> tuple[Tensor, Gradients]:
    """A loss and its gradients: one visit per chunk, two where the loss needs all targets at once.

    Args:
        chunks: not visited yet.
        objective: the loss.
        entropy: whether it is told of entropies, and whether gradients flow through them.
        wanted: whether the gradients of states, weight and bias are.
    """
    is_entropy_asked = entropy != "none"
    gradients = Gradients(chunks, wanted)
    known: Slopes | None = None
    loss = chunks.logp.new_zeros(())
    if not objective.token_wise and len(chunks.parts) > 1:
        for part in chunks.parts:
            chunks.visit(part, entropy=is_entropy_asked)
        every = slice(0, len(chunks.logp))
        known = slopes_of(objective, chunks.logp, chunks.entropy, every, mode=entropy)
        loss = known.loss
        if not any(wanted):
            return loss, gradients
    for part in chunks.parts:
        chunks.visit(part, entropy=is_entropy_asked)
        if known is not None:
            slopes = known.at(part)
        else:
            own = (chunks.logp[part], chunks.entropy[part], part)
            slopes = slopes_of(objective, *own, mode=entropy)
            loss = loss + slopes.loss
        if any(wanted):
            gradients.add(part, chunks.logit_slopes(part, slopes))
    return loss, gradients
