"""Parameters of the web domain."""

from typing import Literal

from worldtune.config.base import Config
from worldtune.config.domain import IngestConfig, StagesConfig


class WebSource(Config):
    """Where web transitions come from: a format and a local file, folder or hub id."""

    kind: Literal["recorded", "thuml_cot", "wma", "mind2web", "jsonl"] = "recorded"
    path: str = "data/01_raw/web/transitions.parquet"


class WebIngestConfig(IngestConfig):
    """Ingestion of web transitions."""

    source: WebSource = WebSource()


class WebTaskConfig(Config):
    """How a web row is written for the model and how its answer is scored."""

    layout: Literal["compact", "zero_shot"] = "compact"
    """compact: short text for models trained from scratch; zero_shot: the paper's chat prompt."""
    reward: Literal["f1", "reference_f1"] = "f1"


class WebConfig(StagesConfig):
    """Parameters of the web domain."""

    ingest: WebIngestConfig = WebIngestConfig()
    task: WebTaskConfig = WebTaskConfig()
