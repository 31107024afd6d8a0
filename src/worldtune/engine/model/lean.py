"""Llama, Qwen2 and Qwen3 run by a forward pass of our own over the model's own parameters.

Each prompt of a batch is encoded once, however many completions share it, forward and backward; no
row is padded; the last layer computes no more than what the targets need: keys and values
everywhere, the rest only where a token is predicted. Linear layers are called as the modules they
are, so that adapters and autocast work. Exact: the same function as transformers', and its
gradient.

It leaves out what these families offer beyond full attention with fixed rotary frequencies; see
``supports``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from worldtune.engine.model.batch import PackedBatch
from worldtune.engine.model.cascade import cascade_attention, cascade_works, expanded_attention
from worldtune.engine.model.functional import rmsnorm, rope, swiglu
from worldtune.engine.model.path import unwrapped
from worldtune.engine.model.plan import Order, Plan, attention_order

if TYPE_CHECKING:
    from worldtune.engine.model.lean_decode import LeanDecoder

_FAMILIES = ("llama", "qwen2", "qwen3")

_FIXED_ROPE = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings whose frequencies do not depend on the length of the sequence."""


def supports(model: nn.Module) -> bool:
    """Whether this path computes exactly what the model does."""
    base: Any = unwrapped(model)
    config: Any = getattr(base, "config", None)
    trunk: Any = getattr(base, "model", None)
    if getattr(config, "model_type", None) not in _FAMILIES or not hasattr(trunk, "layers"):
        return False
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    return (
        config.hidden_act == "silu"
        and set(kinds) == {"full_attention"}
        and not any(block.self_attn.attention_dropout for block in trunk.layers)
        and trunk.rotary_emb.rope_type in _FIXED_ROPE
    )


@dataclass(frozen=True)
class Layer:
    """One block: its modules, called as modules, and its shape."""

    input_norm: nn.Module
    q_proj: nn.Module
    k_proj: nn.Module
    v_proj: nn.Module
    o_proj: nn.Module
    q_norm: nn.Module | None
    k_norm: nn.Module | None
    post_norm: nn.Module
    gate_proj: nn.Module
    up_proj: nn.Module
    down_proj: nn.Module
    heads: int
    kv_heads: int
    dim: int
    scale: float


def _layer(block: Any, config: Any) -> Layer:
    attention, mlp = block.self_attn, block.mlp
    return Layer(
        input_norm=block.input_layernorm,
        q_proj=attention.q_proj,
        k_proj=attention.k_proj,
        v_proj=attention.v_proj,
        o_proj=attention.o_proj,
        q_norm=getattr(attention, "q_norm", None),
        k_norm=getattr(attention, "k_norm", None),
        post_norm=block.post_attention_layernorm,
        gate_proj=mlp.gate_proj,
        up_proj=mlp.up_proj,
        down_proj=mlp.down_proj,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        dim=attention.head_dim,
        scale=attention.scaling,
    )


@dataclass(frozen=True)
class EncodedPrompts:
    """Prompts that went through the model once.

    Attributes:
        states: [prompts, width] of each prompt's last token, final norm included.
        keys: per layer, [time, kv_heads, dim], rotated.
        values: likewise.
        starts: first row of each prompt in these.
        lengths: tokens of each prompt.
    """

    states: Tensor
    keys: list[Tensor]
    values: list[Tensor]
    starts: list[int]
    lengths: list[int]


@dataclass(frozen=True)
class _Rows:
    """What a block is asked for: a plan, the rows that ask (None: all) and those to go on with."""

    plan: Plan
    asking: Tensor | None = None
    kept: Tensor | None = None


class LeanPath:
    """Runs a Llama, Qwen2 or Qwen3 (see ``supports``); a ``Path``.

    Args:
        model: a transformers model, with or without adapters.
        gradient_checkpointing: keep only the input of each layer and compute it again backward.
        expand: whether to copy prompts' keys per completion (``expanded_attention``); None does so
            where the flash kernels of the cascade are missing.
    """

    name = "lean"

    def __init__(
        self,
        model: nn.Module,
        *,
        gradient_checkpointing: bool = False,
        expand: bool | None = None,
    ) -> None:
        if not supports(model):
            raise ValueError(
                f"the lean path does not run {type(unwrapped(model)).__name__} with this "
                "configuration: as_policy(model, path='auto') finds one that does"
            )
        trunk: Any = unwrapped(model).model
        self.embed: nn.Module = trunk.embed_tokens
        self.layers = tuple(_layer(block, trunk.config) for block in trunk.layers)
        self.gradient_checkpointing = gradient_checkpointing
        self.expand = expand
        self._norm, self._rotary = trunk.norm, trunk.rotary_emb

    def rotary(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines [..., dim / 2] of positions [...], in float32 or wider."""
        wide = torch.promote_types(self._norm.weight.dtype, torch.float32)
        frequencies = self._rotary.inv_freq.float().to(positions.device, wide)
        angles = positions[..., None].to(wide) * frequencies
        scaling = self._rotary.attention_scaling
        return angles.cos().mul_(scaling), angles.sin().mul_(scaling)

    def final_norm(self, states: Tensor) -> Tensor:
        """The norm between the last layer and the head."""
        return norm(self._norm, states)

    def states(self, batch: PackedBatch) -> Tensor:
        """See ``Path``: [targets, width]."""
        device = batch.input_ids.device
        order = attention_order(batch.prompt_lengths, batch.own_lengths, batch.owner, device=device)
        asking = torch.cat(
            [order.ends, torch.arange(order.prompt_rows, len(order.place), device=device)]
        )
        # Among the asking rows, tips come first; a completion's keep their order.
        number = torch.empty_like(order.place)
        number[asking] = torch.arange(len(asking), device=device)
        kept, back = number[order.place[batch.source]].unique(return_inverse=True)
        last = _Rows(order.last, asking, None if len(kept) == len(asking) else kept)
        final = self._run(batch.input_ids, batch.positions, order, last)
        return final.index_select(0, back)

    def encode_prompts(self, prompts: Sequence[Sequence[int]]) -> EncodedPrompts:
        """Run prompts alone and keep their keys and values; call under ``torch.no_grad``."""
        device = self._norm.weight.device
        lengths = [len(prompt) for prompt in prompts]
        order = attention_order(lengths, [], [], device=device)
        ids = torch.tensor([token for prompt in prompts for token in prompt], device=device)
        places = torch.cat([torch.arange(n) for n in lengths]).to(device)
        store: list[tuple[Tensor, Tensor]] = []
        final = self._run(ids, places, order, _Rows(order.last, order.ends), store=store)
        states = torch.empty_like(final)
        states[torch.tensor(order.by_length, device=device)] = final
        starts = [0] * len(lengths)
        start = 0
        for index in order.by_length:
            starts[index] = start
            start += lengths[index]
        keys, values = zip(*store, strict=True)
        return EncodedPrompts(states, list(keys), list(values), starts, lengths)

    def prefill(
        self, prompts: Sequence[Sequence[int]], *, samples: int, max_new: int
    ) -> tuple[Tensor, "LeanDecoder"]:
        """See ``Path``."""
        from worldtune.engine.model.lean_decode import LeanDecoder  # noqa: PLC0415 - builds on this

        encoded = self.encode_prompts(prompts)
        return encoded.states, LeanDecoder(self, encoded, samples=samples, max_new=max_new)

    def _run(
        self,
        ids: Tensor,
        positions: Tensor,
        order: Order,
        last: _Rows,
        *,
        store: list[tuple[Tensor, Tensor]] | None = None,
    ) -> Tensor:
        """Final states [kept rows of the last layer, width] of tokens in the order of the batch."""
        x = self.embed(ids[order.permutation])
        cos, sin = self.rotary(positions[order.permutation])
        use = self._attention(x.device)
        for layer in self.layers:
            rows = last if layer is self.layers[-1] else _Rows(order.full)
            inputs = layer, x, cos, sin, rows, use
            if self.gradient_checkpointing and torch.is_grad_enabled():
                x = checkpoint(_block, *inputs, use_reentrant=False)
            else:
                x = _block(*inputs, store=store)
        return self.final_norm(x)

    def _attention(self, device: torch.device) -> Callable[..., Tensor]:
        expand = self.expand
        if expand is None:
            expand = device.type != "cpu" or not cascade_works()
        return expanded_attention if expand else cascade_attention


def norm(module: Any, x: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    """Apply a transformers RMS norm module."""
    return rmsnorm(x, module.weight, module.variance_epsilon, dtype=dtype)


def _heads(x: Tensor, module: nn.Module | None, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
    """Norm (Qwen3) and rotate queries or keys [time, heads * dim]."""
    if module is not None:
        x = norm(module, x.unflatten(-1, (heads, -1))).flatten(-2)
    turned: Tensor = rope(x, cos, sin, heads).unflatten(-1, (heads, -1))
    return turned


def _linear_dtype(x: Tensor) -> torch.dtype:
    """What autocast would cast the input of a linear layer to: done once for several of them."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind) and x.dtype != torch.float64:
        return torch.get_autocast_dtype(kind)
    return x.dtype


def _plus(x: Tensor, change: Tensor) -> Tensor:
    """Add; in the memory of the change, the output of a linear layer, where it is as precise."""
    return change.add_(x) if change.dtype == x.dtype else x + change


def _block(
    layer: Layer,
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    rows: _Rows,
    attend: Callable[..., Tensor],
    store: list[tuple[Tensor, Tensor]] | None = None,
) -> Tensor:
    """One transformer block: [time, width] -> [kept rows, width]."""
    normed = norm(layer.input_norm, x, dtype=_linear_dtype(x))
    key = _heads(layer.k_proj(normed), layer.k_norm, cos, sin, layer.kv_heads)
    value = layer.v_proj(normed).unflatten(-1, (layer.kv_heads, -1))
    if store is not None:
        store.append((key, value))
    if rows.asking is not None:
        normed, cos, sin, x = (t.index_select(0, rows.asking) for t in (normed, cos, sin, x))
    query = _heads(layer.q_proj(normed), layer.q_norm, cos, sin, layer.heads)
    read = attend(query, key, value, plan=rows.plan, scale=layer.scale).flatten(-2)
    if rows.kept is not None:
        read, x = read.index_select(0, rows.kept), x.index_select(0, rows.kept)
    x = _plus(x, layer.o_proj(read))
    normed = norm(layer.post_norm, x, dtype=_linear_dtype(x))
    product = swiglu(layer.gate_proj(normed), layer.up_proj(normed))
    return _plus(x, layer.down_proj(product))
