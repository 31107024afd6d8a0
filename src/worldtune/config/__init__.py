"""Every parameter of every stage: one frozen pydantic class per concern, defaults stated once.

YAML under ``conf/`` states only what a domain or an environment changes. Unknown keys are
forbidden, so that a misspelt key stops a run before any work. The classes hold no logic beyond
checks that need two fields; what a value does is said beside it.
"""

from collections.abc import Mapping
from typing import Any

from worldtune.config.base import Config
from worldtune.config.distill import DistillConfig
from worldtune.config.evaluation import CompareConfig, EvaluateConfig, FewConfig, FewStageConfig
from worldtune.config.games import GamesConfig
from worldtune.config.machine import ComputeConfig, LaunchConfig
from worldtune.config.model import ModelConfig, PretrainedModelConfig, ScratchModelConfig
from worldtune.config.optimizer import OptimizerConfig, RlvrOptimizerConfig
from worldtune.config.own_games import OwnGamesConfig
from worldtune.config.rlvr import (
    PRESETS,
    DynamicSamplingConfig,
    KlConfig,
    LossConfig,
    OverlongConfig,
    RewardConfig,
    RlvrConfig,
    SamplingConfig,
)
from worldtune.config.run import LoraConfig, MixConfig, RunConfig, SftConfig
from worldtune.config.text_game import (
    TextGameConfig,
    TextGameIngestConfig,
    TextGameSource,
    TextGameTaskConfig,
)
from worldtune.config.web import WebConfig, WebIngestConfig, WebSource, WebTaskConfig

__all__ = [
    "DOMAIN_CONFIGS",
    "PRESETS",
    "CompareConfig",
    "ComputeConfig",
    "Config",
    "DistillConfig",
    "DynamicSamplingConfig",
    "EvaluateConfig",
    "FewConfig",
    "FewStageConfig",
    "GamesConfig",
    "KlConfig",
    "LaunchConfig",
    "LoraConfig",
    "LossConfig",
    "MixConfig",
    "ModelConfig",
    "OptimizerConfig",
    "OverlongConfig",
    "OwnGamesConfig",
    "PretrainedModelConfig",
    "RewardConfig",
    "RlvrConfig",
    "RlvrOptimizerConfig",
    "RunConfig",
    "SamplingConfig",
    "ScratchModelConfig",
    "SftConfig",
    "TextGameConfig",
    "TextGameIngestConfig",
    "TextGameSource",
    "TextGameTaskConfig",
    "WebConfig",
    "WebIngestConfig",
    "WebSource",
    "WebTaskConfig",
    "domain_config",
    "few_task",
    "task_config",
]

DOMAIN_CONFIGS: dict[str, type[Config]] = {
    "web": WebConfig,
    "text_game": TextGameConfig,
}


def domain_config(name: str) -> type[Config]:
    """The class of a domain's parameters. Raises KeyError for an unknown domain."""
    return DOMAIN_CONFIGS[name]


def task_config(domain: str, raw: Mapping[str, Any]) -> Config:
    """The ``task`` parameters of a domain as its own class. Raises ValidationError."""
    task_class = domain_config(domain).model_fields["task"].annotation
    assert isinstance(task_class, type) and issubclass(task_class, Config), f"{domain} has no task"
    return task_class.model_validate(raw)


def few_task(domain: str, task: Config, few: FewConfig) -> Config:
    """``task`` as the few demonstrations of the comparison change it. Raises ValidationError."""
    return task_config(domain, {**task.model_dump(), **few.task})
