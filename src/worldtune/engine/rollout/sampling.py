"""Drawing tokens: a uniform number by counter, mapped through the inverse of the distribution.

Each draw is a function of (seed, step, prompt, sample, position) alone, so that a rollout is the
same whatever else is in the batch, however many processes share the work and wherever a run was
resumed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    temperature 0 is greedy. top_k 0 and top_p 1 leave the distribution whole. seed and step enter
    every draw.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    step: int = 0


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of signed 64-bit integers (torch's own shift repeats the sign)."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """The finaliser of splitmix64 (Steele et al., 2014); products wrap around."""
    x = (x ^ _shift_right(x, 30)) * _MIX_1
    x = (x ^ _shift_right(x, 27)) * _MIX_2
    return x ^ _shift_right(x, 31)


def counter_uniform(*counters: Tensor | int) -> Tensor:
    """Uniform numbers in [0, 1), float64, from integer counters that broadcast to one shape."""
    device = next((c.device for c in counters if isinstance(c, Tensor)), None)
    state = torch.zeros((), dtype=torch.long, device=device)
    for counter in counters:
        value = torch.as_tensor(counter, dtype=torch.long, device=device)
        state = _mix(state + _GOLDEN ^ _mix(value + _GOLDEN))
    return _shift_right(state, 11).double() * 2.0**-53


def _restrict(logits: Tensor, sampling: Sampling) -> Tensor:
    """Mask what top-k and top-p exclude; the most likely token always stays."""
    if sampling.top_k:
        kth = logits.topk(min(sampling.top_k, logits.shape[-1]), dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < kth, float("-inf"))
    if sampling.top_p < 1.0:
        ordered, index = logits.sort(dim=-1, descending=True)
        probs = ordered.softmax(dim=-1)
        outside = probs.cumsum(dim=-1) - probs >= sampling.top_p
        outside[..., 0] = False
        logits = logits.masked_fill(outside.scatter(-1, index, outside), float("-inf"))
    return logits


def choose(logits: Tensor, uniform: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Choose a token per row of logits [rows, vocabulary].

    Args:
        logits: unnormalised; -inf excludes a token.
        uniform: [rows] numbers in [0, 1); unused when greedy.
        sampling: temperature and truncation.

    Returns:
        tokens [rows] and their log-probabilities [rows] under the distribution that was drawn from
        (for greedy choice: under the untempered model).
    """
    logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    if sampling.temperature == 0.0:
        log_all = logits.log_softmax(dim=-1)
        best = log_all.max(dim=-1)
        return best.indices, best.values
    log_all = _restrict(logits / sampling.temperature, sampling).log_softmax(dim=-1)
    cumulative = log_all.exp().cumsum(dim=-1)
    # Rounding may leave the sum a little off 1, so the draw is scaled to what the sum really is.
    draw = uniform.to(cumulative.dtype)[:, None] * cumulative[:, -1:]
    tokens = torch.searchsorted(cumulative, draw, right=True).squeeze(-1)
    tokens = tokens.clamp_(max=logits.shape[-1] - 1)
    logp = log_all.gather(-1, tokens[:, None]).squeeze(-1)
    # A draw that rounds onto the total would land on an excluded token: take the likeliest instead.
    excluded = torch.isinf(logp)
    if bool(excluded.any()):
        best = log_all.max(dim=-1)
        tokens = torch.where(excluded, best.indices, tokens)
        logp = torch.where(excluded, best.values, logp)
    return tokens, logp
