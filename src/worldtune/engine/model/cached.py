"""The transformer as transformers runs it, sharing each prompt through its key-value cache.

For any causal language model with a cache, whatever its attention (sliding windows, soft caps,
ALiBi ...). In training the prompt runs once per group with the cache keeping its graph; the cache
is repeated for the completions, whose gradients add up in it. Exact; the price is a call per group
and a cache that is expanded per rollout.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from worldtune.engine.model.batch import Group, PackedBatch
from worldtune.engine.model.path import unwrapped
from worldtune.errors import UserError


class CachePath:
    """See ``Path``; leaves the attention of the model as it is."""

    name = "cached"

    def __init__(self, model: nn.Module, *, gradient_checkpointing: bool = False) -> None:
        """Take a causal language model. Raises ValueError with gradient checkpointing."""
        if gradient_checkpointing:
            raise UserError(
                "sharing prompts through the cache does not work with gradient checkpointing, "
                "which drops the cache: set <domain>.<stage>.gradient_checkpointing to false and "
                "lower <domain>.<stage>.tokens_per_pass, or take a Llama, Qwen2 or Qwen3 model"
            )
        self._trunk: Any = unwrapped(model).base_model
        accepted = inspect.signature(self._trunk.forward).parameters
        self._takes_positions = "position_ids" in accepted

    def run(self, input_ids: Tensor, positions: Tensor, mask: Tensor, cache: Any) -> Any:
        """One call; all of [rows, time], except mask [rows, cached and new tokens]."""
        extra = {"position_ids": positions} if self._takes_positions else {}
        return self._trunk(
            input_ids=input_ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **extra,
        )

    def states(self, batch: PackedBatch) -> Tensor:
        """See ``Path``."""
        device = batch.input_ids.device
        pieces = [piece for group in batch.groups for piece in self._group_states(group, device)]
        return torch.cat(pieces)[batch.source]

    def _group_states(self, group: Group, device: torch.device) -> list[Tensor]:
        """States [tokens, width] of the prompt, then of what is fed of each completion."""
        prompt = torch.tensor([group.prompt], device=device)
        start = prompt.shape[1]
        first = self.run(
            prompt, torch.arange(start, device=device)[None], torch.ones_like(prompt), None
        )
        own = [torch.tensor(c[:-1], device=device) for c in group.completions if len(c) > 1]
        if not own:
            return [first.last_hidden_state[0]]
        cache = first.past_key_values
        cache.batch_repeat_interleave(len(own))
        ids = pad_sequence(own, batch_first=True)
        fed = pad_sequence([torch.ones_like(row) for row in own], batch_first=True)
        positions = start + torch.arange(ids.shape[1], device=device).expand_as(ids)
        mask = torch.cat([prompt.new_ones(len(own), start), fed], dim=1)
        after = self.run(ids, positions, mask, cache).last_hidden_state
        return [
            first.last_hidden_state[0],
            *(states[: len(row)] for states, row in zip(after, own, strict=True)),
        ]

    def prefill(
        self, prompts: Sequence[Sequence[int]], *, samples: int, max_new: int
    ) -> tuple[Tensor, "CacheDecoder"]:
        """See ``Path``; ``max_new`` is not needed, the cache grows."""
        device = next(self._trunk.parameters()).device
        longest = max(map(len, prompts))
        # Padded on the left: windows count tokens back from the newest one.
        ids = torch.tensor([[0] * (longest - len(p)) + list(p) for p in prompts], device=device)
        lengths = torch.tensor([len(p) for p in prompts], device=device)
        places = torch.arange(longest, device=device) - (longest - lengths)[:, None]
        mask = (places >= 0).long()
        output = self.run(ids, places.clamp(min=0), mask, None)
        cache = output.past_key_values
        cache.batch_repeat_interleave(samples)
        decoder = CacheDecoder(
            self,
            cache,
            mask.repeat_interleave(samples, dim=0),
            lengths.repeat_interleave(samples),
        )
        return cast("Tensor", output.last_hidden_state[:, -1]), decoder


@dataclass
class CacheDecoder:
    """See ``Decoder``.

    Attributes:
        path: what runs.
        cache: of transformers, one row per rollout.
        mask: [rows, cached tokens] 0 at padding.
        positions: [rows] of the tokens that are fed next.
    """

    path: CachePath
    cache: Any
    mask: Tensor
    positions: Tensor

    def step(self, tokens: Tensor) -> Tensor:
        """See ``Decoder``."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)
        output = self.path.run(tokens[:, None], self.positions[:, None], self.mask, self.cache)
        self.cache = output.past_key_values
        self.positions = self.positions + 1
        return cast("Tensor", output.last_hidden_state[:, 0])

    def keep(self, groups: Tensor, rows: Tensor) -> None:
        """See ``Decoder``; groups are only counted through their rows."""
        self.cache.batch_select_indices(rows)
        self.mask, self.positions = self.mask[rows], self.positions[rows]
