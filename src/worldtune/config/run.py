"""What SFT and RLVR share, and SFT itself."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from worldtune.config.base import Config, Count, PositiveInt, Weight
from worldtune.config.optimizer import OptimizerConfig


class LoraConfig(Config):
    """Low-rank adapters on every linear layer (peft)."""

    rank: PositiveInt = 32
    alpha: PositiveInt = 16


class MixConfig(Config):
    """What an epoch is made of where most rows teach little (paper, section 4.1)."""

    column: str
    """A column of flags of the training rows: every epoch holds all rows in which it is true."""
    per_100: Weight = 40.0
    """And so many of the other rows for every 100 of those, drawn anew for each epoch."""


class RunConfig(Config):
    """What SFT and RLVR share: cadence of checkpoints and validation, size of one pass."""

    checkpoint_every: PositiveInt = 100
    """Steps between resumable checkpoints."""
    keep_checkpoints: Annotated[int, Field(ge=2)] = 2
    """Resumable checkpoints that are kept; the older ones stand in for a damaged newest one."""
    select: Literal["last", "best"] = "last"
    """Which weights become the model of the stage: the last, or those of the best validation."""
    validate_every: Count = 0
    """Steps between greedy validations; 0 validates at the end only."""
    validation_rows: PositiveInt = 200
    """Rows of a validation, spread evenly over the split."""
    mix: MixConfig | None = None
    """Rows of an epoch by kind; None takes all rows."""
    max_prompt_tokens: PositiveInt | None = None
    """Longest prompt; None allows what the model's context holds beside the answer."""
    long_rows: Literal["error", "drop"] = "error"
    """What becomes of training and validation rows beyond that: stop, or go without them."""
    max_new_tokens: PositiveInt = 96
    """Longest completion that is sampled or validated."""
    tokens_per_pass: PositiveInt = 16384
    """Most tokens in one forward and backward pass; larger batches are split and accumulated."""
    gradient_checkpointing: bool = False
    """Recompute each layer in the backward pass: less memory, about a third more arithmetic."""
    lora: LoraConfig | None = None
    """Train adapters only; they are merged into the saved checkpoint. None trains all weights."""
    resume: bool = True
    """Continue an interrupted run and reuse a finished one of the same specification."""

    @model_validator(mode="after")
    def _check_selection(self) -> Self:
        if self.select == "best" and not self.validate_every:
            raise ValueError("select 'best' needs validations to choose from: set validate_every")
        return self


class SftConfig(RunConfig):
    """Supervised fine-tuning on the completion tokens."""

    steps: PositiveInt = 1000
    batch_rows: PositiveInt = 12
    optimizer: OptimizerConfig = OptimizerConfig()
