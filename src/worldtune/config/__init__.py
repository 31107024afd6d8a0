"""Every parameter of every stage: one frozen pydantic class per concern, defaults stated once.

YAML under ``conf/`` states only what a domain or an environment changes. Unknown keys are
forbidden, so that a misspelt key stops a run before any work. The classes hold no logic beyond
checks that need two fields; what a value does is said beside it.
"""

from collections.abc import Mapping
from typing import Any

from worldtune.config.base import Config
from worldtune.config.evaluation import CompareConfig, EvaluateConfig
from worldtune.config.machine import ComputeConfig, LaunchConfig
from worldtune.config.model import ModelConfig, PretrainedModelConfig, ScratchModelConfig
from worldtune.config.optimizer import OptimizerConfig, RlvrOptimizerConfig
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
from worldtune.config.run import LoraConfig, RunConfig, SftConfig
from worldtune.config.web import WebConfig, WebIngestConfig, WebSource, WebTaskConfig

__all__ = [
    "DOMAIN_CONFIGS",
    "PRESETS",
    "CompareConfig",
    "ComputeConfig",
    "Config",
    "DynamicSamplingConfig",
    "EvaluateConfig",
    "KlConfig",
    "LaunchConfig",
    "LoraConfig",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "OverlongConfig",
    "PretrainedModelConfig",
    "RewardConfig",
    "RlvrConfig",
    "RlvrOptimizerConfig",
    "RunConfig",
    "SamplingConfig",
    "ScratchModelConfig",
    "SftConfig",
    "WebConfig",
    "WebIngestConfig",
    "WebSource",
    "WebTaskConfig",
    "domain_config",
    "task_config",
]

DOMAIN_CONFIGS: dict[str, type[Config]] = {"web": WebConfig}


def domain_config(name: str) -> type[Config]:
    """The class of a domain's parameters. Raises KeyError for an unknown domain."""
    return DOMAIN_CONFIGS[name]


def task_config(domain: str, raw: Mapping[str, Any]) -> Config:
    """The ``task`` parameters of a domain as its own class. Raises ValidationError."""
    task_class = domain_config(domain).model_fields["task"].annotation
    assert isinstance(task_class, type) and issubclass(task_class, Config), f"{domain} has no task"
    return task_class.model_validate(raw)
