"""Kedro settings: configuration loading, hooks, quiet tools."""

import os
import warnings

from worldtune.hooks import (
    ManifestHooks,
    ParameterHooks,
    ProgressHooks,
    SummaryHooks,
    UserErrorHooks,
)
from worldtune.parameter_loader import ParameterLoader

# No tool reports home unless the user asks it to. make sets the same; this covers other ways in.
for _name, _value in {
    "KEDRO_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(_name, _value)

# Bars for reading and writing every checkpoint say nothing; training shows its own progress.
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

# The project's commands are spelt with --pipeline; Kedro 1.x prefers --pipelines and takes both.
warnings.filterwarnings("ignore", message=r"Option .--pipeline. is deprecated")


def _read_environment(name: str, default: str = "") -> str:
    """Resolver ``${env:NAME,default}`` of the configuration files."""
    return os.environ.get(name) or default


HOOKS = (ParameterHooks(), ManifestHooks(), ProgressHooks(), SummaryHooks(), UserErrorHooks())

CONFIG_LOADER_CLASS = ParameterLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # An environment states only what it changes; the default merge would drop its siblings.
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
    "custom_resolvers": {"env": _read_environment},
}
