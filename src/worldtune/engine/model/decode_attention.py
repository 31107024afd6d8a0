"""Attention of one new token per rollout over keys that the rollouts of a prompt share.

The prompt's keys and values are kept once per group, and all its rollouts ask them as one matrix
product; query heads that share a key head are further rows of that product (GQA). A rollout's own
keys are kept in two parts: ``old`` is exactly full, so that a step reads it as one stream (a cache
with room left over is read several times slower), and ``new`` takes the next ``_ROOM`` tokens.

A step runs the same few kernels for every layer on the same memory. What they read and write is
therefore named once per step or once for all (``_Fixed``, ``_Step``); making a view costs as much
as a small kernel.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

_ROOM = 32
"""Own tokens between two copies of a rollout's cache: copying costs about 1/_ROOM of a read."""

Norm = Callable[[Tensor], Tensor]
Rotated = tuple[Tensor, Tensor, Tensor]
"""A tensor [..., dim] and the views of its two halves, whose elements are turned in pairs."""


class Scratch:
    """Memory for intermediate results, taken once and used again by every layer and step."""

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self._memory: dict[str, Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """An uninitialised tensor; it shares memory with all others of the same name."""
        size = prod(shape)
        memory = self._memory.get(name)
        if memory is None or memory.numel() < size:
            memory = self._memory[name] = self.like.new_empty(size)
        return memory[:size].view(shape)


@dataclass(frozen=True)
class _Fixed:
    """Views that stay the same while no row is dropped.

    Attributes:
        query: [groups, samples, kv_heads, heads_per_kv, dim] as projected.
        key: [groups, samples, kv_heads, 1, dim] likewise.
        value: like key.
        turned: like query; the memory of ``asked``.
        asked: [groups * kv_heads, samples * heads_per_kv, dim].
        asked_own: [groups * kv_heads * samples, heads_per_kv, dim]; the same memory.
        read: like asked.
        read_own: like asked_own; the memory of ``read``.
        found: like query; the memory of ``read``.
        out: like query; where the result belongs.
    """

    query: Rotated
    key: Rotated
    value: Tensor
    turned: Rotated
    asked: Tensor
    asked_own: Tensor
    read: Tensor
    read_own: Tensor
    found: Tensor
    out: Tensor


@dataclass(frozen=True)
class _Step:
    """Views and angles of one position, the same for all layers unless a list.

    Attributes:
        angles: cosines and sines of the keys, then of the queries, scaled.
        key_slot, value_slot: per layer, like ``_Fixed.key``: where the new ones belong.
        new: per layer, keys [rows, dim, tokens] and values [rows, tokens, dim] with the new one.
        product: memory for products with the prompt, the old and the new keys.
        scores: where each of them belongs in ``all_scores``.
        weights: the same places in ``all_weights``.
    """

    angles: tuple[Tensor, Tensor, Tensor, Tensor]
    key_slot: Sequence[Rotated]
    value_slot: Sequence[Tensor]
    new: Sequence[tuple[Tensor, Tensor]]
    product: Sequence[Tensor]
    scores: Sequence[Tensor]
    weights: Sequence[Tensor]
    all_scores: Tensor
    all_weights: Tensor


def _halves(x: Tensor) -> Rotated:
    """A tensor [..., dim] and the views of its two halves."""
    first, second = x.chunk(2, dim=-1)
    return x, first, second


def _rotate(x: Rotated, cos: Tensor, sin: Tensor, out: Rotated) -> None:
    """Turn the pairs (i, i + dim / 2) of x into ``out``; see ``functional.rope``."""
    torch.mul(x[0], cos, out=out[0])
    out[1].addcmul_(x[2], sin, value=-1)
    out[2].addcmul_(x[1], sin)


class GroupAttention:
    """The caches of some groups in all layers, and attention over them.

    Args:
        starts: where each prompt begins among the rows that were encoded.
        lengths: tokens of each prompt.
        samples: rollouts of each prompt.
        max_new: most tokens of a rollout.
        heads: (of queries, of keys).
        scratch: also tells the precision of the caches.
    """

    def __init__(
        self,
        starts: Sequence[int],
        lengths: Sequence[int],
        *,
        samples: int,
        max_new: int,
        heads: tuple[int, int],
        scratch: Scratch,
    ) -> None:
        device = scratch.like.device
        self.lengths = torch.tensor(lengths, device=device)
        self.samples, self._scratch = samples, scratch
        self._kv_heads, self._heads_per_kv = heads[1], heads[0] // heads[1]
        self._room, self._filled = min(_ROOM, max_new), 0
        start = torch.tensor(starts, device=device)[:, None]
        place = torch.arange(max(lengths), device=device)
        hidden = place >= self.lengths[:, None]
        self._index = torch.where(hidden, start, start + place)
        # [groups * kv_heads, 1, longest prompt]: -inf hides the padding of shorter prompts.
        self._mask: Tensor | None = None
        if min(lengths) < max(lengths):
            mask = scratch.like.new_zeros(hidden.shape).masked_fill_(hidden, -torch.inf)
            self._mask = mask.repeat_interleave(self._kv_heads, dim=0)[:, None]
        # Per layer, keys [groups * kv_heads, dim, time] and values [groups * kv_heads, time, dim].
        self._prompt: list[tuple[Tensor, Tensor]] = []
        # Likewise [groups * kv_heads * samples, ...], or empty.
        self._old: list[tuple[Tensor, Tensor]] = []
        # Keys and values [layers, groups * kv_heads * samples, room, dim].
        self._new: tuple[Tensor, Tensor] | None = None

    @property
    def num_rows(self) -> int:
        """Rollouts of all groups."""
        return len(self.lengths) * self.samples

    def add_layer(self, key: Tensor, value: Tensor) -> None:
        """Take the prompts' keys (rotated) and values [time, kv_heads, dim] of the next layer."""

        def prompts(rows: Tensor) -> Tensor:
            picked = rows[self._index].transpose(1, 2).to(self._scratch.like.dtype)
            return picked.flatten(0, 1)

        self._prompt.append((prompts(key).mT, prompts(value)))

    def bind(self, qkv: Tensor, out: Tensor) -> None:
        """Say where queries, keys and values will be found and attention is to be written.

        Args:
            qkv: [rows, (heads + 2 * kv_heads) * dim].
            out: [rows, heads * dim].
        """
        per_kv, dim = self._heads_per_kv, self._prompt[0][1].shape[-1]
        sizes = (len(self.lengths), self.samples, self._kv_heads)
        num_query, num_key = self._kv_heads * per_kv * dim, self._kv_heads * dim
        parts = qkv.split([num_query, num_key, num_key], dim=-1)

        def heads(x: Tensor) -> Tensor:
            by_head: Tensor = x.unflatten(-1, (self._kv_heads, -1, dim)).unflatten(0, sizes[:2])
            return by_head

        query, key, value = (heads(part) for part in parts)
        asked, read = (
            self._scratch.take(name, sizes[0], sizes[2], sizes[1], per_kv, dim)
            for name in ("asked", "read")
        )
        self._fixed = _Fixed(
            query=_halves(query),
            key=_halves(key),
            value=value,
            turned=_halves(asked.transpose(1, 2)),
            asked=asked.view(sizes[0] * sizes[2], -1, dim),
            asked_own=asked.view(-1, per_kv, dim),
            read=read.view(sizes[0] * sizes[2], -1, dim),
            read_own=read.view(-1, per_kv, dim),
            found=read.transpose(1, 2),
            out=heads(out),
        )

    def begin(self, cos: Tensor, sin: Tensor, scale: float) -> None:
        """Make room for one more token; cos and sin [groups, dim / 2] are those of its position."""
        if self._new is None or self._filled == self._room:
            self._grow()
        assert self._new is not None, "made by _grow"
        self._filled += 1
        fixed, (pairs, rows, _) = self._fixed, self._fixed.asked.shape
        # [layers, groups, samples, kv_heads, 1, dim].
        sizes = (len(self.lengths), self._kv_heads, self.samples)
        slots = (part[:, :, self._filled - 1].unflatten(1, sizes) for part in self._new)
        key_slots, value_slots = (slot.transpose(2, 3)[..., None, :] for slot in slots)
        keys, values = (part[:, :, : self._filled] for part in self._new)
        spans = [self._prompt[0][1].shape[1], self._filled]
        if self._old:
            spans.insert(1, self._old[0][1].shape[1])
        take = self._scratch.take
        scores, weights = (take(name, pairs, rows, sum(spans)) for name in ("scores", "weights"))

        def places(whole: Tensor) -> list[Tensor]:
            first, *rest = whole.split(spans, dim=-1)
            shape = (*fixed.asked_own.shape[:2], -1)
            own = whole.view(*shape[:2], sum(spans)).split(spans, dim=-1)[1:]
            return [first, *own[: len(rest)]]

        score_places = places(scores)
        # [groups, 1, 1, 1, dim].
        wide = self._scratch.like.dtype
        cos = torch.cat([cos, cos], dim=-1)[:, None, None, None].to(wide)
        sin = sin[:, None, None, None].to(wide)
        self._step = _Step(
            angles=(cos, sin, cos * scale, sin * scale),
            key_slot=list(zip(*(x.unbind() for x in _halves(key_slots)), strict=True)),
            value_slot=value_slots.unbind(),
            new=list(zip(keys.mT.unbind(), values.unbind(), strict=True)),
            product=[take("product", *place.shape) for place in score_places],
            scores=score_places,
            weights=places(weights),
            all_scores=scores,
            all_weights=weights,
        )

    def _grow(self) -> None:
        """Move the new keys and values to the old ones, or make room for the first."""
        if self._new is not None:
            fresh = zip(self._new[0].mT.unbind(), self._new[1].unbind(), strict=True)
            if self._old:
                # Keys are stored by token and seen transposed.
                self._old = [
                    (torch.cat([k.mT, key.mT], dim=1).mT, torch.cat([v, value], dim=1))
                    for (k, v), (key, value) in zip(self._old, fresh, strict=True)
                ]
            else:
                self._old = list(fresh)
        pairs = len(self.lengths) * self._kv_heads
        shape = (len(self._prompt), pairs * self.samples, self._room, self._prompt[0][1].shape[-1])
        self._new = (self._scratch.like.new_empty(shape), self._scratch.like.new_empty(shape))
        self._filled = 0

    def attend(self, layer: int, query_norm: Norm | None, key_norm: Norm | None) -> None:
        """Attention of one layer, from and to the memory that was bound."""
        fixed, step, wide = self._fixed, self._step, self._scratch.like.dtype
        query, key = fixed.query, fixed.key
        if query_norm is not None and key_norm is not None:
            query = _halves(query_norm(query[0].to(wide)))
            key = _halves(key_norm(key[0].to(wide)))
        elif query[0].dtype != wide:
            query, key = _halves(query[0].to(wide)), _halves(key[0].to(wide))
        cos, sin, scaled_cos, scaled_sin = step.angles
        _rotate(key, cos, sin, step.key_slot[layer])
        step.value_slot[layer].copy_(fixed.value)
        _rotate(query, scaled_cos, scaled_sin, fixed.turned)
        caches = [self._prompt[layer], step.new[layer]]
        if self._old:
            caches.insert(1, self._old[layer])
        # Products are taken into tight memory and moved: into a slice they would run one by one.
        asked = fixed.asked
        for (cached, _), product, place in zip(caches, step.product, step.scores, strict=True):
            torch.bmm(asked, cached, out=product)
            if self._mask is None or asked is not fixed.asked:
                place.copy_(product)
            else:
                torch.add(product, self._mask, out=place)
            asked = fixed.asked_own
        torch.softmax(step.all_scores, dim=-1, out=step.all_weights)
        torch.bmm(step.weights[0], caches[0][1], out=fixed.read)
        for (_, value), weights in zip(caches[1:], step.weights[1:], strict=True):
            fixed.read_own.baddbmm_(weights, value)
        fixed.out.copy_(fixed.found)

    def keep(self, groups: Tensor, samples: Tensor) -> None:
        """Compact to groups [kept], and of each to samples [kept, samples each]; then ``bind``."""
        pairs = groups[:, None] * self._kv_heads
        pairs = pairs + torch.arange(self._kv_heads, device=groups.device)
        own = (pairs[:, :, None] * self.samples + samples[:, None]).flatten()
        pairs = pairs.flatten()
        self.samples = samples.shape[1]
        self.lengths = self.lengths[groups]
        longest = int(self.lengths.max())
        self._index = self._index[groups, :longest]
        if self._mask is not None:
            self._mask = self._mask[pairs, :, :longest]
        for layer, (key, value) in enumerate(self._prompt):
            self._prompt[layer] = (key.mT[pairs, :longest].mT, value[pairs, :longest])
        for layer, (key, value) in enumerate(self._old):
            self._old[layer] = (key.mT[own].mT, value[own])
        if self._new is not None:
            self._new = (self._new[0][:, own], self._new[1][:, own])
