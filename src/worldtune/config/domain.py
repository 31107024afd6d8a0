"""What the parameters of every domain share: how rows are sorted out, and the stages after that."""

from worldtune.config.base import Config, Fraction, PositiveInt
from worldtune.config.distill import DistillConfig
from worldtune.config.evaluation import CompareConfig, EvaluateConfig
from worldtune.config.model import ModelConfig
from worldtune.config.rlvr import RlvrConfig
from worldtune.config.run import SftConfig


class IngestConfig(Config):
    """Which rows of a source are kept, and for what; a domain adds its sources."""

    limit: PositiveInt | None = None
    """Keep only the first rows of each split, spread evenly over it; None keeps all."""
    max_tokens: PositiveInt = 1024
    """Rows whose estimated input and answer exceed this are quarantined as too_long."""
    max_bad_fraction: Fraction = 0.02
    """The run stops when a larger share of rows is quarantined."""
    max_unchanged_fraction: Fraction = 0.25
    """Surplus rows in which nothing changes are left out, by a seeded rule."""
    val_fraction: Fraction = 0.08
    """Share of validation rows where the source brings no split of its own."""
    test_fraction: Fraction = 0.16
    """Share of test rows where the source brings no split of its own."""


class StagesConfig(Config):
    """The stages after ingestion; a domain adds ``ingest`` and ``task``."""

    distill: DistillConfig = DistillConfig()
    model: ModelConfig = ModelConfig()
    sft: SftConfig = SftConfig()
    rlvr: RlvrConfig = RlvrConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    compare: CompareConfig = CompareConfig()
