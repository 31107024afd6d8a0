"""Decoding on the lean path: one token per rollout and step, in few operations.

The weights do not change while completions are drawn and no gradient is needed. So each layer's
projections are joined once (query, key and value; gate and up), adapters folded in, and every
product is written into memory that the next layer uses again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm, silu

from worldtune.engine.model.decode_attention import GroupAttention, Scratch, group_attention

if TYPE_CHECKING:
    from worldtune.engine.model.lean import EncodedPrompts, Layer, LeanPath

_SPLIT_ABOVE = 2**15
"""Scores per layer and step that are spent on padding before prompts are attended apart: about as
much time as the operations of one more part take."""


@dataclass(frozen=True)
class _Linear:
    """x @ weight + bias; weight [inputs, outputs] is a view, transposed."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor, out: Tensor) -> Tensor:
        if self.bias is None:
            return torch.mm(x, self.weight, out=out)
        return torch.addmm(self.bias, x, self.weight, out=out)

    def add_to(self, total: Tensor, x: Tensor) -> None:
        """Add the output to ``total`` in place."""
        if total.dtype != x.dtype:
            total.add_(x @ self.weight)
        else:
            total.addmm_(x, self.weight)
        if self.bias is not None:
            total.add_(self.bias)


def _folded(module: nn.Module, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """Weight [outputs, inputs] and bias of a linear layer, or of one inside adapters."""
    if type(module) is nn.Linear:
        bias = None if module.bias is None else module.bias.to(dtype)
        return module.weight.to(dtype), bias
    # Adapters of any kind leave the layer affine: what it makes of the unit vectors tells all.
    adapted: Any = module
    like = adapted.weight
    unit = torch.eye(adapted.in_features, dtype=like.dtype, device=like.device)
    bias = module(torch.zeros_like(unit[:1]))[0]
    return (module(unit) - bias).T.contiguous().to(dtype), bias.to(dtype)


def _linear(modules: Sequence[nn.Module], dtype: torch.dtype) -> _Linear:
    """Linear layers of the same input as one."""
    folded = [_folded(module, dtype) for module in modules]
    weight = torch.cat([w for w, _ in folded]) if len(folded) > 1 else folded[0][0]
    if all(bias is None for _, bias in folded):
        return _Linear(weight.T, None)
    biases = [w.new_zeros(len(w)) if bias is None else bias for w, bias in folded]
    return _Linear(weight.T, torch.cat(biases))


@dataclass(frozen=True)
class _Norm:
    """Root mean square norm; see ``functional.rmsnorm``."""

    weight: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight.shape, self.weight, self.eps)


def _norm(module: Any, dtype: torch.dtype) -> _Norm:
    return _Norm(module.weight.to(dtype), module.variance_epsilon)


@dataclass(frozen=True)
class _Block:
    """One layer, ready for decoding."""

    input_norm: _Norm
    qkv: _Linear
    q_norm: _Norm | None
    k_norm: _Norm | None
    output: _Linear
    post_norm: _Norm
    gate_up: _Linear
    down: _Linear


def _block(layer: "Layer", dtype: torch.dtype, wide: torch.dtype) -> _Block:
    return _Block(
        input_norm=_norm(layer.input_norm, wide),
        qkv=_linear([layer.q_proj, layer.k_proj, layer.v_proj], dtype),
        q_norm=None if layer.q_norm is None else _norm(layer.q_norm, wide),
        k_norm=None if layer.k_norm is None else _norm(layer.k_norm, wide),
        output=_linear([layer.o_proj], dtype),
        post_norm=_norm(layer.post_norm, wide),
        gate_up=_linear([layer.gate_proj, layer.up_proj], dtype),
        down=_linear([layer.down_proj], dtype),
    )


def _parts(lengths: Sequence[int], rows_per_key: int) -> list[list[int]]:
    """Split prompts into parts of similar length, where padding them would cost more than that."""
    parts: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if parts:
            longest, total = lengths[index], sum(lengths[i] for i in parts[-1])
            if (longest * len(parts[-1]) - total) * rows_per_key <= _SPLIT_ABOVE:
                parts[-1].append(index)
                continue
        parts.append([index])
    return [sorted(part) for part in parts]


def _rotate(x: Tensor, cos: Tensor, sin: Tensor, out: Tensor) -> None:
    """Turn the pairs (i, i + dim / 2) of x [..., dim] into ``out``; see ``functional.rope_``."""
    torch.mul(x, cos, out=out)
    (first, second), (out_first, out_second) = x.chunk(2, dim=-1), out.chunk(2, dim=-1)
    out_first.addcmul_(second, sin, value=-1)
    out_second.addcmul_(first, sin)


class LeanDecoder:
    """A ``Decoder`` of a lean path.

    Args:
        path: whose weights are used, as they are now.
        encoded: the prompts; its keys and values are taken over, layer by layer.
        samples: rollouts of each prompt.
        max_new: most tokens of a rollout.
    """

    def __init__(
        self, path: "LeanPath", encoded: "EncodedPrompts", *, samples: int, max_new: int
    ) -> None:
        layer = path.layers[0]
        weight: Tensor = layer.input_norm.weight  # type: ignore[assignment]
        kind = weight.device.type
        # Attention and norms are computed in float32 at least, linear layers as they are trained.
        self._wide = torch.promote_types(weight.dtype, torch.float32)
        self._dtype = weight.dtype
        if torch.is_autocast_enabled(kind) and weight.dtype != torch.float64:
            self._dtype = torch.get_autocast_dtype(kind)
        self._path, self._shape, self._samples, self._time = path, layer, samples, 0
        self._blocks = [_block(each, self._dtype, self._wide) for each in path.layers]
        self._scratch = Scratch(weight.new_empty(0, dtype=self._dtype))
        shared = Scratch(weight.new_empty(0, dtype=self._wide))
        self._parts: list[GroupAttention] = []
        self._members: list[Tensor] = []
        for members in _parts(encoded.lengths, samples * layer.heads):
            part = group_attention(
                [encoded.starts[i] for i in members],
                [encoded.lengths[i] for i in members],
                samples=samples,
                max_new=max_new,
                kv_heads=layer.kv_heads,
                dim=layer.dim,
                scratch=shared,
            )
            self._parts.append(part)
            self._members.append(torch.tensor(members, device=weight.device))
        while encoded.keys:
            key, value = encoded.keys.pop(0), encoded.values.pop(0)
            for part in self._parts:
                part.add_layer(key, value)
        self._order = self._row_order()

    def _row_order(self) -> Tensor | None:
        """The row of the caller in each row of ours, which are ordered by part; None if equal."""
        if len(self._parts) == 1:
            return None
        sample = torch.arange(self._samples, device=self._members[0].device)
        return (torch.cat(self._members)[:, None] * self._samples + sample).flatten()

    def step(self, tokens: Tensor) -> Tensor:
        """See ``Decoder``."""
        if self._order is not None:
            tokens = tokens[self._order]
        x = self._path.embed(tokens)
        for part in self._parts:
            part.open_slot()
        lengths = torch.cat([part.lengths for part in self._parts])
        cos, sin = self._path.rotary(lengths + self._time)
        # [groups, samples, kv_heads, heads_per_kv, dim], broadcast.
        cos = torch.cat([cos, cos], dim=-1)[:, None, None, None].to(self._wide)
        sin = sin[:, None, None, None].to(self._wide)
        angles = (cos, sin, cos * self._shape.scale, sin * self._shape.scale)
        for index in range(len(self._blocks)):
            self._layer(index, x, angles)
        states = self._path.final_norm(x)
        self._time += 1
        if self._order is None:
            return states
        ordered = torch.empty_like(states)
        ordered[self._order] = states
        return ordered

    def _layer(self, index: int, x: Tensor, angles: tuple[Tensor, ...]) -> None:
        """Run one block on the residual stream x [rows, width], in place."""
        block, take = self._blocks[index], self._scratch.take
        normed = block.input_norm(x.to(self._wide)).to(self._dtype)
        qkv = block.qkv(normed, take("linear", len(x), block.qkv.weight.shape[1]))
        read = take("attention", len(x), self._shape.heads * self._shape.dim)
        group = row = 0
        for part in self._parts:
            groups, rows = len(part.lengths), part.num_rows
            turned = tuple(angle[group : group + groups] for angle in angles)
            inside = slice(row, row + rows)
            self._attend(index, part, qkv[inside], turned, read[inside])
            group, row = group + groups, row + rows
        block.output.add_to(x, read)
        normed = block.post_norm(x.to(self._wide)).to(self._dtype)
        both = block.gate_up(normed, take("linear", len(x), block.gate_up.weight.shape[1]))
        gate, up = both.chunk(2, dim=-1)
        block.down.add_to(x, silu(gate).mul_(up))

    def _attend(
        self,
        index: int,
        part: GroupAttention,
        qkv: Tensor,
        angles: tuple[Tensor, ...],
        out: Tensor,
    ) -> None:
        """Attention of the rows of one part, from their projections to ``out`` [rows, width]."""
        block, shape = self._blocks[index], self._shape
        cos, sin, scaled_cos, scaled_sin = angles
        sizes = (-1, part.samples, shape.kv_heads, shape.heads // shape.kv_heads, shape.dim)
        heads = (shape.heads * shape.dim, *[shape.kv_heads * shape.dim] * 2)
        query, key, value = (each.to(self._wide) for each in qkv.split(heads, dim=-1))
        query = query.unflatten(-1, sizes[2:]).unflatten(0, sizes[:2])
        key = key.unflatten(-1, (shape.kv_heads, 1, shape.dim)).unflatten(0, sizes[:2])
        if block.q_norm is not None and block.k_norm is not None:
            query, key = block.q_norm(query), block.k_norm(key)
        key_slot, value_slot = part.slot(index)
        _rotate(key, cos, sin, key_slot[..., None, :])
        value_slot.copy_(value.unflatten(-1, (shape.kv_heads, -1)).unflatten(0, sizes[:2]))
        asked = part.scratch.take(
            "query", len(part.lengths), shape.kv_heads, part.samples, *sizes[3:]
        )
        _rotate(query, scaled_cos, scaled_sin, asked.transpose(1, 2))
        found = part.read(index, asked.view(-1, part.samples * sizes[3], shape.dim))
        out.unflatten(-1, sizes[2:]).unflatten(0, sizes[:2]).copy_(
            found.view(asked.shape).transpose(1, 2)
        )

    def keep(self, groups: Tensor, rows: Tensor) -> None:
        """See ``Decoder``."""
        samples = rows.view(len(groups), -1) - groups[:, None] * self._samples
        self._samples = samples.shape[1]
        before = sum(len(members) for members in self._members)
        parts, self._parts, self._members = zip(self._parts, self._members, strict=True), [], []
        for part, members in parts:
            place = torch.full((before,), -1, device=groups.device)
            place[members] = torch.arange(len(members), device=groups.device)
            kept = (place[groups] >= 0).nonzero().squeeze(-1)
            if len(kept):
                part.keep(place[groups[kept]], samples[kept])
                self._parts.append(part)
                self._members.append(kept)
        self._order = self._row_order()
