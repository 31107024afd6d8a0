"""Attention of one new token per rollout over keys that rollouts of a prompt share.

The prompt's keys and values are kept once per group, and all its rollouts ask them as one matrix
product; query heads that share a key head are further rows of that product (GQA). A rollout's own
keys are kept in two parts: ``old`` is exactly full, so that a step reads it as one stream (the
memory of a cache with room left over is read several times slower), and ``new`` takes the next
``_ROOM`` tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor

_ROOM = 32
"""Own tokens between two copies of a rollout's cache: copying costs about 1/_ROOM of a read."""


@dataclass
class Scratch:
    """Memory for intermediate results, taken once and used again by every layer and step."""

    like: Tensor
    _memory: dict[str, Tensor] = field(default_factory=dict)

    def take(self, name: str, *shape: int) -> Tensor:
        """An uninitialised tensor; valid until the next one of the same name is taken."""
        size = prod(shape)
        memory = self._memory.get(name)
        if memory is None or memory.numel() < size:
            memory = self._memory[name] = self.like.new_empty(size)
        return memory[:size].view(shape)


@dataclass
class GroupCache:
    """Keys and values of one layer for groups whose prompts are of similar length.

    Attributes:
        prompt: keys and values [groups * kv_heads, longest prompt, dim].
        old: own keys and values [groups * kv_heads * samples, tokens, dim], or None.
        new: likewise with room for ``_ROOM`` tokens.
    """

    prompt: tuple[Tensor, Tensor]
    old: tuple[Tensor, Tensor] | None
    new: tuple[Tensor, Tensor]


@dataclass
class GroupAttention:
    """All layers' caches of some groups; every group has the same number of rollouts.

    Attributes:
        lengths: [groups] tokens of each prompt.
        index: [groups, longest prompt] rows of the prompts among all that were encoded.
        samples: rollouts of each prompt.
        room: tokens that ``GroupCache.new`` takes.
        kv_heads, dim: shape of the keys.
        scratch: for intermediate results; also tells the precision of the caches.
        mask: [groups * kv_heads, 1, longest prompt] 0 where a prompt token is, -inf at padding;
            None without padding.
        layers: one cache per layer.
        filled: tokens in ``new``.
    """

    lengths: Tensor
    index: Tensor
    samples: int
    room: int
    kv_heads: int
    dim: int
    scratch: Scratch
    mask: Tensor | None
    layers: list[GroupCache] = field(default_factory=list)
    filled: int = 0

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt; the others are padded to it."""
        return self.index.shape[1]

    @property
    def num_rows(self) -> int:
        """Rollouts of all groups."""
        return len(self.lengths) * self.samples

    def add_layer(self, key: Tensor, value: Tensor) -> None:
        """Take the prompts' keys (rotated) and values [time, kv_heads, dim] of the next layer."""
        pairs = len(self.lengths) * self.kv_heads

        def prompt(rows: Tensor) -> Tensor:
            picked = rows[self.index].transpose(1, 2).to(self.scratch.like.dtype)
            return picked.reshape(pairs, self.longest, self.dim)

        def room() -> Tensor:
            return self.scratch.like.new_empty(pairs * self.samples, self.room, self.dim)

        self.layers.append(GroupCache((prompt(key), prompt(value)), None, (room(), room())))

    def open_slot(self) -> None:
        """Make room for one more own token in every layer; ``slot`` then names it."""
        if self.filled == self.room:
            for cache in self.layers:
                cache.old = cache.new if cache.old is None else _joined(cache.old, cache.new)
                cache.new = (torch.empty_like(cache.new[0]), torch.empty_like(cache.new[1]))
            self.filled = 0
        self.filled += 1

    def slot(self, layer: int) -> tuple[Tensor, Tensor]:
        """Where the newest own key and value belong: [groups, samples, kv_heads, dim] each."""
        sizes = (-1, self.kv_heads, self.samples)
        key, value = (part[:, self.filled - 1].unflatten(0, sizes) for part in self.layers[layer].new)
        return key.transpose(1, 2), value.transpose(1, 2)

    def read(self, layer: int, query: Tensor) -> Tensor:
        """Attend.

        Args:
            layer: whose cache is asked.
            query: [groups * kv_heads, samples * heads_per_kv, dim] contiguous, scaled.

        Returns:
            Like query; valid until the next call.
        """
        cache, take = self.layers[layer], self.scratch.take
        pairs, rows, _ = query.shape
        own = query.view(pairs * self.samples, -1, self.dim)
        key, value = cache.prompt
        spans = [(k[:, : self.filled], v[:, : self.filled]) for k, v in (cache.new,)]
        if cache.old is not None:
            spans.insert(0, cache.old)
        total = self.longest + sum(k.shape[1] for k, _ in spans)
        scores = take("scores", pairs, rows, total)
        # Products are taken into tight memory and moved: into a slice they run one by one.
        tight = take("product", pairs, rows, self.longest)
        torch.bmm(query, key.mT, out=tight)
        if self.mask is None:
            scores[:, :, : self.longest].copy_(tight)
        else:
            torch.add(tight, self.mask, out=scores[:, :, : self.longest])
        own_scores = scores.view(len(own), -1, total)
        first = self.longest
        for own_key, _ in spans:
            after = first + own_key.shape[1]
            tight = take("product", len(own), own.shape[1], own_key.shape[1])
            own_scores[:, :, first:after] = torch.bmm(own, own_key.mT, out=tight)
            first = after
        weights = torch.softmax(scores, dim=-1, out=take("weights", pairs, rows, total))
        read = take("read", pairs, rows, self.dim)
        torch.bmm(weights[:, :, : self.longest], value, out=read)
        own_read, own_weights = read.view_as(own), weights.view_as(own_scores)
        first = self.longest
        for _, own_value in spans:
            after = first + own_value.shape[1]
            own_read.baddbmm_(own_weights[:, :, first:after], own_value)
            first = after
        return read

    def keep(self, groups: Tensor, samples: Tensor) -> None:
        """Compact to groups [kept], and of each to samples [kept, samples each]."""
        old_samples, self.samples = self.samples, samples.shape[1]
        heads = torch.arange(self.kv_heads, device=groups.device)
        pairs = (groups[:, None] * self.kv_heads + heads).flatten()
        own = (pairs.view(-1, self.kv_heads, 1) * old_samples + samples[:, None]).flatten()
        self.lengths = self.lengths[groups]
        longest = int(self.lengths.max())
        self.index = self.index[groups, :longest]
        if self.mask is not None:
            self.mask = self.mask[pairs, :, :longest]
        for cache in self.layers:
            cache.prompt = _picked(cache.prompt, pairs, longest)
            cache.new = _picked(cache.new, own)
            cache.old = None if cache.old is None else _picked(cache.old, own)


def _joined(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return torch.cat([first[0], second[0]], dim=1), torch.cat([first[1], second[1]], dim=1)


def _picked(
    pair: tuple[Tensor, Tensor], index: Tensor, length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Rows of keys and of values, cut to a length."""
    return pair[0][:, :length][index], pair[1][:, :length][index]


def group_attention(
    starts: Sequence[int],
    lengths: Sequence[int],
    *,
    samples: int,
    max_new: int,
    kv_heads: int,
    dim: int,
    scratch: Scratch,
) -> GroupAttention:
    """Caches of some prompts, without layers yet.

    Args:
        starts: where each prompt begins among the rows that were encoded.
        lengths: tokens of each prompt.
        samples: rollouts of each prompt.
        max_new: most tokens of a rollout.
        kv_heads: heads of the keys.
        dim: of a head.
        scratch: see ``GroupAttention``.
    """
    device = scratch.like.device
    length, start = torch.tensor(lengths, device=device), torch.tensor(starts, device=device)
    place = torch.arange(max(lengths), device=device)
    hidden = place >= length[:, None]
    mask = None
    if min(lengths) < max(lengths):
        mask = scratch.like.new_zeros(hidden.shape).masked_fill_(hidden, -torch.inf)
        mask = mask.repeat_interleave(kv_heads, dim=0)[:, None]
    return GroupAttention(
        lengths=length,
        index=torch.where(hidden, start[:, None], start[:, None] + place),
        samples=samples,
        room=min(_ROOM, max_new),
        kv_heads=kv_heads,
        dim=dim,
        scratch=scratch,
        mask=mask,
    )
