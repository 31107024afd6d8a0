"""The policy: log-probabilities of completion tokens under a causal language model."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from worldtune.engine.model.attention import IMPLEMENTATION, Layout
from worldtune.engine.model.batch import PackedBatch


@dataclass(frozen=True)
class Policy:
    """A causal language model whose attention runs on layouts.

    model is what is trained (adapters included); trunk and head are the transformer without its
    output layer and the output layer itself, sharing the model's parameters.
    """

    model: nn.Module
    trunk: nn.Module
    head: nn.Module

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next(self.model.parameters()).device

    def hidden(self, input_ids: Tensor, positions: Tensor, layout: Layout) -> Tensor:
        """Last hidden states [batch, time, width] of token ids [batch, time]."""
        output = self.trunk(
            input_ids=input_ids, position_ids=positions, use_cache=False, layout=layout
        )
        states: Tensor = output.last_hidden_state
        return states

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states [..., width] to logits [..., vocabulary]."""
        result: Tensor = self.head(hidden)
        return result


def as_policy(model: PreTrainedModel) -> Policy:
    """Switch a model's attention to layouts. Raises ValueError where the architecture cannot."""
    adapted: Any = model
    base: PreTrainedModel = (
        adapted.get_base_model() if hasattr(adapted, "get_base_model") else model
    )
    if not getattr(base, "_supports_attention_backend", False):
        raise ValueError(
            f"{type(base).__name__} does not take its attention from transformers' attention "
            "interface; use a model that does, such as Llama, Qwen2 or Qwen3"
        )
    base.set_attn_implementation(IMPLEMENTATION)
    return Policy(model=model, trunk=base.base_model, head=base.get_output_embeddings())


@dataclass(frozen=True)
class TokenStats:
    """What a policy says of target tokens, in nats.

    logp: [targets] log-probabilities. entropy: [targets] of the whole next-token distribution, or
    None where it was not asked for.
    """

    logp: Tensor
    entropy: Tensor | None = None


def token_stats(
    policy: Policy,
    batch: PackedBatch,
    *,
    temperature: float = 1.0,
    entropy: Literal["none", "value", "gradient"] = "none",
) -> TokenStats:
    """Score every target of a packed batch; gradients flow to logp, and to entropy if asked for."""
    hidden = policy.hidden(batch.input_ids, batch.positions, batch.layout)[0]
    logits = policy.logits(hidden[batch.source])
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()
    if temperature != 1.0:
        logits = logits / temperature
    if entropy == "none":
        return TokenStats(-cross_entropy(logits, batch.targets, reduction="none"))
    log_all = logits.log_softmax(dim=-1)
    logp = log_all.gather(-1, batch.targets[:, None]).squeeze(-1)
    with torch.set_grad_enabled(entropy == "gradient" and torch.is_grad_enabled()):
        return TokenStats(logp, -(log_all.exp() * log_all).sum(dim=-1))
