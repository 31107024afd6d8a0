"""The policy: a causal language model, the way it is run, and its output layer.

``as_policy`` takes the fastest way that reproduces the plain model on a small batch: our own
forward pass, transformers' modules with our attention, or transformers' cache.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import nn
from transformers import PreTrainedModel

from worldtune.engine.model.attention import IMPLEMENTATION
from worldtune.engine.model.cached import CachePath
from worldtune.engine.model.head import Head
from worldtune.engine.model.interface import InterfacePath
from worldtune.engine.model.lean import LeanPath
from worldtune.engine.model.path import Path, unwrapped
from worldtune.engine.model.selfcheck import SelfCheck
from worldtune.errors import UserError

if TYPE_CHECKING:
    from worldtune.engine.model.sharding import Shards

logger = logging.getLogger(__name__)

PathName = Literal["auto", "lean", "interface", "cached"]

_PATHS: dict[str, Callable[..., Path]] = {
    "lean": LeanPath,
    "interface": InterfacePath,
    "cached": CachePath,
}
"""Fastest first; each raises ValueError for a model that it cannot run."""

_FAILURES = (ValueError, TypeError, RuntimeError, AttributeError, LookupError, ImportError)
"""What a path may raise on an architecture that nobody has tried it on."""


Result = TypeVar("Result")


@dataclass(frozen=True)
class Policy:
    """What is trained or sampled from.

    Attributes:
        model: the whole model, adapters included.
        path: runs the transformer below the output layer.
        head: the output layer; shares its parameters with the model.
        autocast: the type of matrix products where it is not that of the parameters.
        shards: the weights as they are dealt out over processes; None where each has them all.
    """

    model: nn.Module
    path: Path
    head: Head
    autocast: torch.dtype | None = None
    shards: "Shards | None" = None

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next(self.model.parameters()).device

    @property
    def is_exact(self) -> bool:
        """Whether a rollout's log-probabilities are those of a training pass but for rounding.

        Not in half precision, where decoding and training round differently.
        """
        parameter = next(self.model.parameters())
        return self.autocast is None and parameter.dtype in (torch.float32, torch.float64)

    def computing(self) -> torch.autocast:
        """The context that path and head are to be called in.

        One context for a whole generation or pass: weights are cast once in it.
        """
        is_on = self.autocast is not None
        return torch.autocast(self.device.type, dtype=self.autocast, enabled=is_on)

    def run(self, work: Callable[[], Result]) -> Result:
        """The forward half of one pass over path and head."""
        return work() if self.shards is None else self.shards.run(work)

    def empty_passes(self, own: int) -> int:
        """How many empty passes to add to ``own`` ones: shards need as many from each process.

        To be asked before the first pass, by all processes.
        """
        return 0 if self.shards is None else self.shards.empty_passes(own)

    def gathered(self) -> AbstractContextManager[None]:
        """The context of rollouts: all weights are here; all processes enter and leave it."""
        return nullcontext() if self.shards is None else self.shards.gathered()


def as_policy(
    model: nn.Module,
    *,
    path: PathName = "auto",
    gradient_checkpointing: bool = False,
    autocast: torch.dtype | None = None,
) -> Policy:
    """Find the fastest exact way to run a causal language model.

    Dropout is switched off: a prompt that is encoded once for a group has one mask at most, and
    the policy that is trained would not be the one that was sampled.

    Args:
        model: of transformers, possibly wrapped in adapters; frozen ones are checked forward only.
        path: one way, or ``auto`` for the first that supports the model and passes the self-check.
        gradient_checkpointing: recompute layers in the backward pass; puts the model in training
            mode, in which transformers does so.
        autocast: compute in this type, usually torch.bfloat16, with parameters as they are.

    Raises:
        ValueError: no way reproduces the model.
    """
    base = unwrapped(model)
    _refuse(base)
    _switch_off_dropout(model)
    own_attention = _restore_attention(base)
    head = Head(base.get_output_embeddings())
    check = SelfCheck(model, head, autocast=autocast)
    refused: list[str] = []
    for name in _PATHS if path == "auto" else (path,):
        try:
            candidate = _PATHS[name](model, gradient_checkpointing=gradient_checkpointing)
            deviation = check.compare(candidate)
        except torch.OutOfMemoryError:
            raise
        except _FAILURES as error:
            refused.append(f"{name}: {error}")
        else:
            if deviation.is_rounding:
                _report(base, name, refused)
                if gradient_checkpointing:
                    model.train()
                return Policy(model, candidate, head, autocast)
            refused.append(f"{name}: {deviation}")
        if gradient_checkpointing:
            base.activation_checkpointing_disable()
        base.set_attn_implementation(own_attention)
    raise UserError(
        f"{type(base).__name__} cannot be run exactly; " + "; ".join(refused) + ". Take a model "
        "with full attention, such as Llama, Qwen2 or Qwen3"
    )


def _report(base: PreTrainedModel, name: str, refused: Sequence[str]) -> None:
    for reason in refused:
        logger.warning("%s: a faster path was refused: %s", type(base).__name__, reason)
    logger.info("%s runs by the %s path", type(base).__name__, name)


def _refuse(base: PreTrainedModel) -> None:
    """Raise ValueError for what no path can do."""
    config: Any = getattr(base, "config", None)
    if config is None or not hasattr(base, "get_output_embeddings"):
        raise UserError(
            f"{type(base).__name__} is not a causal language model of transformers; take one, such "
            "as Llama, Qwen2 or Qwen3"
        )
    if base.get_output_embeddings() is None or config.is_encoder_decoder:
        raise UserError(
            f"{type(base).__name__} does not predict the next token from the ones before it; take "
            "a causal language model, such as Llama, Qwen2 or Qwen3"
        )
    rotary = getattr(config, "rope_parameters", None) or {}
    if rotary.get("rope_type") in ("dynamic", "longrope"):
        raise UserError(
            f"{type(base).__name__} has the rotary embedding {rotary['rope_type']!r}, whose angles "
            "depend on the length of the whole call: its answer to a prompt would change with "
            "what is sampled after it. Take a model with 'default', 'linear', 'llama3' or 'yarn'"
        )


def _switch_off_dropout(model: nn.Module) -> None:
    """Set every probability to 0, in modules of torch and in attributes of transformers' own."""
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, float) and ("drop" in name or isinstance(module, nn.Dropout)):
                setattr(module, name, 0.0)


def _restore_attention(base: PreTrainedModel) -> str:
    """Give a model that has been a policy before torch's attention back; returns which it has."""
    config: Any = base.config
    if config._attn_implementation == IMPLEMENTATION:
        base.set_attn_implementation("sdpa" if getattr(base, "_supports_sdpa", False) else "eager")
    own: str = config._attn_implementation
    return own
