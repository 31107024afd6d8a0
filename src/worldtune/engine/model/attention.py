"""Attention over groups that share a prompt, without padding the linear layers.

A batch is one long row of tokens: each prompt once, followed by the completions sampled from it.
The model's own projections, norms and rotary embeddings run on that row; only attention needs to
know who may see whom, and that is a ``Layout``. It is handed to any transformers model with the
attention interface (Llama, Qwen2, Qwen3 ...) through the registered implementation ``worldtune``.

Exact, not approximate: a completion token attends to its whole prompt and to its own past, nothing
else, as if every completion had its own copy of the prompt.
"""

from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

IMPLEMENTATION = "worldtune"

_NOT_SUPPORTED = ("sliding_window", "softcap", "s_aux")
"""What some models ask of attention beyond the full softmax; ignoring it would be wrong."""


class Layout(Protocol):
    """Which token of a forward pass attends to which."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Attend.

        Args:
            layer: index of the layer.
            query: [batch, heads, time, dim].
            key: [batch, kv_heads, time, dim].
            value: like key.
            scale: of the scores.

        Returns:
            [batch, time, heads, dim].
        """


def _dispatch(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    *,
    layout: Layout,
    **extra: Any,
) -> tuple[Tensor, None]:
    unknown = [name for name in _NOT_SUPPORTED if extra.get(name) is not None]
    if unknown:
        raise ValueError(
            f"{type(module).__name__} asks for {' and '.join(unknown)}, which attention over "
            "shared prompts does not do: take a model with full attention, such as Llama, Qwen2 or "
            "Qwen3"
        )
    return layout.attend(cast("int", module.layer_idx), query, key, value, scaling), None


AttentionInterface.register(IMPLEMENTATION, _dispatch)


def _repeat_heads(tensor: Tensor, query: Tensor) -> Tensor:
    """Repeat key or value heads for grouped-query attention."""
    repeats = query.shape[1] // tensor.shape[1]
    return tensor if repeats == 1 else tensor.repeat_interleave(repeats, dim=1)


@dataclass
class GroupLayout:
    """Training and prefill: prompts, each followed by its completions, packed into one row.

    Attributes:
        prompt_index: [groups, longest prompt] positions in the row; padding repeats position 0.
        own_index: [completions, longest completion] likewise, for completion tokens that are fed.
        order: [time] where each token of the row is found in the two, concatenated and flattened.
        group: [completions] the prompt that each completion belongs to.
        mask: [completions, 1, longest completion, longest prompt + longest completion], True where
            visible.
        store: keeps keys and values of the prompts per layer, for decoding.
    """

    prompt_index: Tensor
    own_index: Tensor
    order: Tensor
    group: Tensor
    mask: Tensor
    store: dict[int, tuple[Tensor, Tensor]] | None = None

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """See ``Layout.attend``; the batch is one row."""
        key, value = _repeat_heads(key, query), _repeat_heads(value, query)
        prompt_k, prompt_v = (
            self._take(key, self.prompt_index),
            self._take(value, self.prompt_index),
        )
        if self.store is not None:
            self.store[layer] = (prompt_k, prompt_v)
        # Prompts are padded on the right, so that the causal rule alone hides the padding.
        parts = [
            scaled_dot_product_attention(
                self._take(query, self.prompt_index),
                prompt_k,
                prompt_v,
                is_causal=True,
                scale=scale,
            )
        ]
        if self.own_index.numel():
            own_k = torch.cat([prompt_k[self.group], self._take(key, self.own_index)], dim=2)
            own_v = torch.cat([prompt_v[self.group], self._take(value, self.own_index)], dim=2)
            own_q = self._take(query, self.own_index)
            parts.append(
                scaled_dot_product_attention(own_q, own_k, own_v, attn_mask=self.mask, scale=scale)
            )
        flat = torch.cat([part.transpose(1, 2).flatten(0, 1) for part in parts])
        return flat[self.order].unsqueeze(0)

    @staticmethod
    def _take(tensor: Tensor, index: Tensor) -> Tensor:
        """[1, heads, time, dim] at [rows, length] -> [rows, heads, length, dim]."""
        picked = tensor[0].transpose(0, 1)[index.flatten()]
        rows: Tensor = picked.unflatten(0, index.shape)
        return rows.transpose(1, 2)


def group_layout(
    prompt_lengths: list[int], own_lengths: list[int], group: list[int], *, device: torch.device
) -> GroupLayout:
    """Lay out a row in which every prompt is directly followed by its completions.

    Args:
        prompt_lengths: tokens of each prompt, >= 1.
        own_lengths: fed tokens of each completion, >= 0, ordered by group.
        group: the prompt of each completion, non-decreasing.
        device: where the index tensors live.
    """
    num_own, longest_prompt = len(own_lengths), max(prompt_lengths)
    longest_own = max(own_lengths, default=0)
    prompt_index = torch.zeros(len(prompt_lengths), longest_prompt, dtype=torch.long)
    own_index = torch.zeros(num_own, longest_own, dtype=torch.long)
    order: list[Tensor] = []
    position, own = 0, 0
    own_base = len(prompt_lengths) * longest_prompt
    for row, length in enumerate(prompt_lengths):
        prompt_index[row, :length] = torch.arange(position, position + length)
        order.append(torch.arange(row * longest_prompt, row * longest_prompt + length))
        position += length
        while own < num_own and group[own] == row:
            fed = own_lengths[own]
            own_index[own, :fed] = torch.arange(position, position + fed)
            first = own_base + own * longest_own
            order.append(torch.arange(first, first + fed))
            position, own = position + fed, own + 1
    group_tensor = torch.tensor(group, dtype=torch.long)
    lengths = torch.tensor(prompt_lengths)[group_tensor]
    prompt_mask = torch.arange(longest_prompt) < lengths[:, None]
    causal = torch.ones(longest_own, longest_own, dtype=torch.bool).tril()
    mask = torch.cat(
        [
            prompt_mask[:, None, None, :].expand(-1, 1, longest_own, -1),
            causal.expand(num_own, 1, -1, -1),
        ],
        dim=-1,
    )
    return GroupLayout(
        prompt_index.to(device),
        own_index.to(device),
        torch.cat(order).to(device),
        group_tensor.to(device),
        mask.to(device),
    )


@dataclass
class DecodeLayout:
    """One new token per rollout: prompt keys read once per group, own keys from a growing cache.

    Attributes:
        prompts: per layer, keys and values [groups, heads, longest prompt, dim].
        prompt_mask: [groups, 1, 1, longest prompt], 0 where a prompt token is, -inf at padding.
        own: per layer, keys and values [groups * samples, heads, max_new, dim], up to ``time``.
        time: tokens already in ``own``.
    """

    prompts: dict[int, tuple[Tensor, Tensor]]
    prompt_mask: Tensor
    own: dict[int, tuple[Tensor, Tensor]]
    time: int = 0

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """See ``Layout.attend``; the batch is [groups * samples] rows of one token."""
        own_k, own_v = self.own[layer]
        own_k[:, :, self.time] = _repeat_heads(key, query)[:, :, 0]
        own_v[:, :, self.time] = _repeat_heads(value, query)[:, :, 0]
        prompt_k, prompt_v = self.prompts[layer]
        rows, heads, _, dim = query.shape
        groups, length = prompt_k.shape[0], prompt_k.shape[2]
        # All samples of a group ask the same prompt: they become the time axis of one product.
        grouped = query.view(groups, rows // groups, heads, dim).transpose(1, 2) * scale
        prompt_scores = grouped @ prompt_k.transpose(2, 3) + self.prompt_mask
        own_scores = (query * scale) @ own_k[:, :, : self.time + 1].transpose(2, 3)
        scores = torch.cat(
            [prompt_scores.transpose(1, 2).reshape(rows, heads, 1, length), own_scores], dim=-1
        )
        weights = scores.softmax(dim=-1)
        from_prompt = weights[..., :length].reshape(groups, rows // groups, heads, length)
        read = from_prompt.transpose(1, 2) @ prompt_v
        read = read.transpose(1, 2).reshape(rows, heads, 1, dim)
        read = read + weights[..., length:] @ own_v[:, :, : self.time + 1]
        return read.transpose(1, 2)

    def keep(self, groups: Tensor, rows: Tensor) -> None:
        """Compact to the given groups and rows (indices); rows stay ordered by group."""
        self.prompts = {i: (k[groups], v[groups]) for i, (k, v) in self.prompts.items()}
        self.prompt_mask = self.prompt_mask[groups]
        self.own = {i: (k[rows], v[rows]) for i, (k, v) in self.own.items()}


def decode_layout(
    prefill: GroupLayout, lengths: Tensor, *, samples: int, max_new: int
) -> DecodeLayout:
    """The decoding state after a prefill pass that stored its keys and values."""
    if prefill.store is None:
        raise ValueError("the prefill pass must store its keys and values")
    key = prefill.store[0][0]
    groups, heads, longest, dim = key.shape
    visible = torch.arange(longest, device=key.device) < lengths[:, None]
    mask = torch.zeros(groups, longest, dtype=key.dtype, device=key.device)
    mask = mask.masked_fill(~visible, float("-inf"))[:, None, None, :]

    def empty() -> Tensor:
        return key.new_zeros(groups * samples, heads, max_new, dim)

    own = {layer: (empty(), empty()) for layer in prefill.store}
    return DecodeLayout(prefill.store, mask, own)
