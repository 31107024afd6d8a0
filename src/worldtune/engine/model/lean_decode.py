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
from torch.nn.functional import silu

from worldtune.engine.model.decode_attention import GroupAttention, Scratch

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


class _Norm:
    """Root mean square norm, as x * (w * sqrt(n)) / sqrt(|x|^2 + n * eps)."""

    def __init__(self, module: Any, dtype: torch.dtype) -> None:
        weight: Tensor = module.weight.to(dtype)
        width = len(weight)
        self.weight = weight * width**0.5
        self.bound = weight.new_full((1,), width * module.variance_epsilon)

    def __call__(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return (x * torch.addcmul(self.bound, length, length).rsqrt_()).mul_(self.weight)


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
        input_norm=_Norm(layer.input_norm, wide),
        qkv=_linear([layer.q_proj, layer.k_proj, layer.v_proj], dtype),
        q_norm=None if layer.q_norm is None else _Norm(layer.q_norm, wide),
        k_norm=None if layer.k_norm is None else _Norm(layer.k_norm, wide),
        output=_linear([layer.o_proj], dtype),
        post_norm=_Norm(layer.post_norm, wide),
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
        self._path, self._scale, self._samples, self._time = path, layer.scale, samples, 0
        self._blocks = [_block(each, self._dtype, self._wide) for each in path.layers]
        self._scratch = Scratch(weight.new_empty(0, dtype=self._dtype))
        shared = Scratch(weight.new_empty(0, dtype=self._wide))
        self._parts: list[GroupAttention] = []
        self._members: list[Tensor] = []
        for members in _parts(encoded.lengths, samples * layer.heads):
            part = GroupAttention(
                [encoded.starts[i] for i in members],
                [encoded.lengths[i] for i in members],
                samples=samples,
                max_new=max_new,
                heads=(layer.heads, layer.kv_heads),
                scratch=shared,
            )
            self._parts.append(part)
            self._members.append(torch.tensor(members, device=weight.device))
        while encoded.keys:
            key, value = encoded.keys.pop(0), encoded.values.pop(0)
            for part in self._parts:
                part.add_layer(key, value)
        self._arrange()

    def _arrange(self) -> None:
        """Order rows by part and give each part its share of the memory."""
        num_rows = sum(part.num_rows for part in self._parts)
        take, block = self._scratch.take, self._blocks[0]
        self._qkv = take("linear", num_rows, block.qkv.weight.shape[1])
        self._gate_up = take("linear", num_rows, block.gate_up.weight.shape[1])
        self._gate, self._up = self._gate_up.chunk(2, dim=-1)
        self._read = take("attention", num_rows, block.output.weight.shape[0])
        counts = [part.num_rows for part in self._parts]
        for part, *memory in zip(
            self._parts, self._qkv.split(counts), self._read.split(counts), strict=True
        ):
            part.bind(*memory)
        # The caller's row in each of ours; None where they are the same.
        self._order: Tensor | None = None
        if len(self._parts) > 1:
            sample = torch.arange(self._samples, device=self._members[0].device)
            first = torch.cat(self._members)[:, None] * self._samples
            self._order = (first + sample).flatten()

    def step(self, tokens: Tensor) -> Tensor:
        """See ``Decoder``."""
        if self._order is not None:
            tokens = tokens[self._order]
        for part in self._parts:
            cos, sin = self._path.rotary(part.lengths + self._time)
            part.begin(cos, sin, self._scale)
        x = self._path.embed(tokens)
        for index, block in enumerate(self._blocks):
            self._run(index, block, x)
        states = self._path.final_norm(x)
        self._time += 1
        if self._order is None:
            return states
        ordered = torch.empty_like(states)
        ordered[self._order] = states
        return ordered

    def _run(self, index: int, block: _Block, x: Tensor) -> None:
        """Run one block on the residual stream x [rows, width], in place."""
        block.qkv(block.input_norm(x.to(self._wide)).to(self._dtype), self._qkv)
        for part in self._parts:
            part.attend(index, block.q_norm, block.k_norm)
        block.output.add_to(x, self._read)
        block.gate_up(block.post_norm(x.to(self._wide)).to(self._dtype), self._gate_up)
        block.down.add_to(x, silu(self._gate).mul_(self._up))

    def keep(self, groups: Tensor, rows: Tensor) -> None:
        """See ``Decoder``."""
        samples = rows.view(len(groups), -1) - groups[:, None] * self._samples
        self._samples = samples.shape[1]
        before = sum(map(len, self._members))
        parts = list(zip(self._parts, self._members, strict=True))
        self._parts, self._members = [], []
        for part, members in parts:
            place = torch.full((before,), -1, device=groups.device)
            place[members] = torch.arange(len(members), device=groups.device)
            kept = (place[groups] >= 0).nonzero().squeeze(-1)
            if len(kept):
                part.keep(place[groups[kept]], samples[kept])
                self._parts.append(part)
                self._members.append(kept)
        self._arrange()
