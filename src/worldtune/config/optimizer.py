"""Update rules and learning-rate schedules."""

from typing import Literal

from worldtune.config.base import Config, Fraction, PositiveFloat, Weight


class OptimizerConfig(Config):
    """Update rule. Muon moves the hidden matrices, AdamW everything else (all, for kind adamw)."""

    kind: Literal["muon", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-3
    """Peak rate of AdamW."""
    muon_learning_rate: PositiveFloat = 0.02
    """Peak rate of Muon; unused by adamw."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.95)
    weight_decay: Weight = 0.0
    max_grad_norm: PositiveFloat = 1.0
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """Shape of the decay after the plateau."""
    warmup_fraction: Fraction = 0.02
    decay_fraction: Fraction = 0.3
    """Share of the steps over which the rate decays (all after warm-up at 1.0)."""
    final_fraction: Fraction = 0.0
    """Share of the peak that the decay ends at, one step after the last."""


class RlvrOptimizerConfig(OptimizerConfig):
    """The update rule of RLVR: the same, at a constant rate unless told otherwise."""

    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup_fraction: Fraction = 0.0
