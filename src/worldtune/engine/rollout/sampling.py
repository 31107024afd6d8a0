"""Drawing tokens: a uniform number by counter, mapped through the inverse of the distribution.

Each draw is a function of (seed, step, prompt, sample, position) alone, so that a rollout is the
same whatever else is in the batch, however many processes share the work and wherever a run was
resumed.

The inverse is taken on two levels: first the block of the vocabulary, by the sums of the blocks,
then the token within it. That needs one softmax and one sum over the vocabulary, no sort and no
running sum over it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB

_BLOCK = 128
"""Tokens per block: near the square root of common vocabularies, so that both levels are short."""

_NUCLEUS = 64
"""Likeliest tokens that are tried first for top-p; few predictions of a trained model need more."""

_AT_ONCE = 2**20
"""Logits that a CPU handles at once: temporaries of this size stay in its cache and are reused."""

_BELOW_ONE = 1.0 - 2.0**-53
"""The float64 before 1: x * _BELOW_ONE < x for every normal x > 0."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: divides the logits; 0 is greedy.
        top_k: keep the k likeliest tokens; 0 keeps all.
        top_p: then keep the smallest set of the likeliest that holds this share; 1 keeps all.
        min_p: then keep tokens at least this likely, relative to the likeliest; 0 keeps all.
        seed: enters every draw.
        step: likewise.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
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
    """Uniform numbers in [0, 1), float64, from integer counters that broadcast to one shape.

    Counters of few values should come first: each is mixed at the shape reached so far.
    """
    device = next((c.device for c in counters if isinstance(c, Tensor)), None)
    state = torch.zeros((), dtype=torch.long, device=device)
    for counter in counters:
        value = torch.as_tensor(counter, dtype=torch.long, device=device)
        state = _mix(state + _GOLDEN ^ _mix(value + _GOLDEN))
    return _shift_right(state, 11).double() * 2.0**-53


def choose(logits: Tensor, uniform: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Choose a token per row of logits.

    Args:
        logits: [rows, vocabulary] unnormalised; -inf excludes a token.
        uniform: [rows] numbers in [0, 1); unused when greedy.
        sampling: temperature and truncation; tokens as likely as the last one kept stay too.

    Returns:
        tokens [rows] and their log-probabilities [rows], in nats, under the distribution that was
        drawn from (for greedy choice: under the untempered model); float32, float64 for float64.
    """
    rows = max(1, _AT_ONCE // logits.shape[-1])
    if logits.device.type != "cpu" or len(logits) <= rows:
        return _choose(logits, uniform, sampling)
    pairs = zip(logits.split(rows), uniform.split(rows), strict=True)
    parts = [_choose(part, draws, sampling) for part, draws in pairs]
    return torch.cat([tokens for tokens, _ in parts]), torch.cat([logp for _, logp in parts])


def _choose(logits: Tensor, uniform: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """See ``choose``."""
    logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    if sampling.temperature == 0.0:
        tokens = _argmax(logits)
        return tokens, _at(logits.softmax(dim=-1), tokens).log()
    if sampling.temperature != 1.0:
        logits = logits / sampling.temperature
    weights = logits.softmax(dim=-1)
    least = _least_kept(weights, sampling)
    if least is not None:
        weights = weights.masked_fill_(weights < least, 0.0)
    tokens, total = _draw(weights, uniform)
    return tokens, (_at(weights, tokens).double() / total).log().to(logits.dtype)


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Pick one of each row: values [rows, n] at index [rows]."""
    return values.gather(-1, index[:, None]).squeeze(-1)


def _blocks(values: Tensor, fill: float) -> Tensor:
    """[rows, vocabulary] as [rows, blocks, _BLOCK], the last block filled up."""
    rest = -values.shape[-1] % _BLOCK
    whole = pad(values, (0, rest), value=fill) if rest else values
    return whole.view(len(values), -1, _BLOCK)


def _argmax(logits: Tensor) -> Tensor:
    """The first of the largest of each row, by blocks: torch's maximum is fast, its argmax not."""
    blocks = _blocks(logits, -torch.inf)
    block = blocks.amax(dim=-1).argmax(dim=-1)
    rows = torch.arange(len(logits), device=logits.device)
    return block * _BLOCK + blocks[rows, block].argmax(dim=-1)


def _draw(weights: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Invert the running sum of weights [rows, n] >= 0; tokens [rows] and totals [rows] float64."""
    blocks = _blocks(weights, 0.0)
    sums = blocks.sum(dim=-1)
    running = sums.cumsum(dim=-1, dtype=torch.float64)
    total = running[:, -1]
    draw = uniform * total
    block = _first_beyond(running, draw)
    within = blocks[torch.arange(len(weights), device=weights.device), block]
    left = draw - (_at(running, block) - _at(sums, block))
    token = _first_beyond(within.cumsum(dim=-1, dtype=torch.float64), left)
    return block * _BLOCK + token, total


def _first_beyond(running: Tensor, draw: Tensor) -> Tensor:
    """The first place of each row whose running sum exceeds the draw, which has a weight above 0.

    A draw that rounding pushed out of [0, total) is pulled back, so that a weight of 0 is never hit
    at either end.
    """
    draw = torch.minimum(draw.clamp(min=0.0), running[:, -1] * _BELOW_ONE)
    return torch.searchsorted(running, draw[:, None], right=True).squeeze(-1)


def _least_kept(probs: Tensor, sampling: Sampling) -> Tensor | None:
    """The smallest probability [rows, 1] that top-k, top-p and min-p keep; None if all are kept."""
    bounds = []
    top = None
    if 0 < sampling.top_k < probs.shape[-1]:
        top = probs.topk(sampling.top_k, dim=-1).values
        bounds.append(top[:, -1:])
    if sampling.top_p < 1.0:
        if top is None:
            top = _likeliest(probs, sampling.top_p)
            share = top.cumsum(dim=-1, dtype=torch.float64)
        else:
            share = top.cumsum(dim=-1, dtype=torch.float64) / top.sum(dim=-1, keepdim=True)
        # A token stays while those before it hold less than top_p; the likeliest always does.
        before = share[:, :-1] < sampling.top_p
        bounds.append(top.gather(-1, before.sum(dim=-1, keepdim=True)))
    if sampling.min_p > 0.0:
        bounds.append(probs.amax(dim=-1, keepdim=True) * sampling.min_p)
    return torch.cat(bounds, dim=-1).amax(dim=-1, keepdim=True) if bounds else None


def _likeliest(probs: Tensor, mass: float) -> Tensor:
    """The largest probabilities of each row, falling; as many as hold ``mass`` in every row."""
    count = _NUCLEUS
    while count < probs.shape[-1]:
        top = probs.topk(count, dim=-1).values
        if bool((top.sum(dim=-1) >= mass).all()):
            return top
        count *= 8
    return probs.sort(dim=-1, descending=True).values
