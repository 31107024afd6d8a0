"""The transformer through transformers' own modules, with attention replaced by our layouts.

Any architecture that takes its attention from transformers' attention interface and asks for the
full causal softmax runs here: the prompt is encoded once per group, linear layers see no padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from worldtune.engine.model.attention import (
    IMPLEMENTATION,
    DecodeLayout,
    Layout,
    decode_layout,
    group_layout,
)
from worldtune.engine.model.batch import PackedBatch
from worldtune.engine.model.path import unwrapped


class InterfacePath:
    """See ``Path``; switches the attention of the model to layouts for good."""

    name = "interface"

    def __init__(self, model: nn.Module, *, gradient_checkpointing: bool = False) -> None:
        """Take a causal language model. Raises ValueError where the architecture cannot."""
        base = unwrapped(model)
        if not getattr(base, "_supports_attention_backend", False):
            raise ValueError(
                f"{type(base).__name__} does not take its attention from transformers' attention "
                "interface"
            )
        _require_full_attention(base.config)
        base.set_attn_implementation(IMPLEMENTATION)
        if gradient_checkpointing:
            base.activation_checkpointing_enable({"use_reentrant": False})
        self._base: Any = base
        self._trunk: Any = base.base_model

    def run(self, input_ids: Tensor, positions: Tensor, layout: Layout) -> Tensor:
        """Last hidden states [rows, time, width] of token ids and positions [rows, time]."""
        # Another path over the same weights may have given the model its own attention back.
        if self._base.config._attn_implementation != IMPLEMENTATION:
            self._base.set_attn_implementation(IMPLEMENTATION)
        output = self._trunk(
            input_ids=input_ids, position_ids=positions, use_cache=False, layout=layout
        )
        states: Tensor = output.last_hidden_state
        return states

    def states(self, batch: PackedBatch) -> Tensor:
        """See ``Path``."""
        layout = group_layout(
            batch.prompt_lengths, batch.own_lengths, batch.owner, device=batch.input_ids.device
        )
        hidden = self.run(batch.input_ids[None], batch.positions[None], layout)
        return hidden[0, batch.source]

    def prefill(
        self, prompts: Sequence[Sequence[int]], *, samples: int, max_new: int
    ) -> tuple[Tensor, "InterfaceDecoder"]:
        """See ``Path``."""
        device = next(self._trunk.parameters()).device
        lengths = [len(prompt) for prompt in prompts]
        layout = group_layout(lengths, [], [], device=device)
        layout.store = {}
        flat = torch.tensor([[token for prompt in prompts for token in prompt]], device=device)
        places = torch.tensor([[i for n in lengths for i in range(n)]], device=device)
        hidden = self.run(flat, places, layout)[0]
        ends = torch.tensor(lengths, device=device)
        decoding = decode_layout(layout, ends, samples=samples, max_new=max_new)
        decoder = InterfaceDecoder(self, decoding, ends.repeat_interleave(samples))
        return hidden[ends.cumsum(0) - 1], decoder


def _require_full_attention(config: Any) -> None:
    """Raise ValueError for windows and chunks: some models tell only a mask of them."""
    kinds = set(getattr(config, "layer_types", None) or ())
    limits = {
        name: getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")
    }
    found = sorted(kinds - {"full_attention"})
    if not kinds:
        found = [f"{name} = {value}" for name, value in limits.items() if value]
    if found:
        raise ValueError(f"not every token sees its whole past ({', '.join(found)})")


@dataclass
class InterfaceDecoder:
    """See ``Decoder``. positions: [rows] of the tokens that are fed next."""

    path: InterfacePath
    layout: DecodeLayout
    positions: Tensor

    def step(self, tokens: Tensor) -> Tensor:
        """See ``Decoder``."""
        hidden = self.path.run(tokens[:, None], self.positions[:, None], self.layout)
        self.layout.time += 1
        self.positions = self.positions + 1
        return hidden[:, 0]

    def keep(self, groups: Tensor, rows: Tensor) -> None:
        """See ``Decoder``."""
        self.layout.keep(groups, rows)
        self.positions = self.positions[rows]
