"""Parameters of the web domain."""

from typing import Literal

from worldtune.config.base import Config, Fraction, PositiveInt
from worldtune.config.distill import DistillConfig
from worldtune.config.evaluation import CompareConfig, EvaluateConfig
from worldtune.config.model import ModelConfig
from worldtune.config.rlvr import RlvrConfig
from worldtune.config.run import SftConfig


class WebSource(Config):
    """Where web transitions come from: a format and a local file, folder or hub id."""

    kind: Literal["recorded", "thuml_cot", "wma", "mind2web", "jsonl"] = "recorded"
    path: str = "data/01_raw/web/transitions.parquet"


class WebIngestConfig(Config):
    """Ingestion of web transitions."""

    source: WebSource = WebSource()
    limit: PositiveInt | None = None
    """Keep only the first rows of each split, spread evenly over it; None keeps all."""
    max_tokens: PositiveInt = 1024
    """Rows whose estimated prompt and answer exceed this are quarantined as too_long."""
    max_bad_fraction: Fraction = 0.02
    """The run stops when a larger share of rows is quarantined."""
    max_unchanged_fraction: Fraction = 0.25
    """Surplus rows in which nothing changes are left out, by a seeded rule."""
    val_fraction: Fraction = 0.08
    """Share of validation rows where the source brings no split of its own."""
    test_fraction: Fraction = 0.16
    """Share of test rows where the source brings no split of its own."""


class WebTaskConfig(Config):
    """How a web row is written for the model and how its answer is scored."""

    layout: Literal["compact", "zero_shot"] = "compact"
    """compact: short text for models trained from scratch; zero_shot: the paper's chat prompt."""
    reward: Literal["f1", "reference_f1"] = "f1"


class WebConfig(Config):
    """Parameters of the web domain, in the order of its stages."""

    ingest: WebIngestConfig = WebIngestConfig()
    task: WebTaskConfig = WebTaskConfig()
    distill: DistillConfig = DistillConfig()
    model: ModelConfig = ModelConfig()
    sft: SftConfig = SftConfig()
    rlvr: RlvrConfig = RlvrConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    compare: CompareConfig = CompareConfig()
