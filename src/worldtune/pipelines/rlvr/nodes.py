"""Node of stage rlvr: write the run's specification, start its processes, hand on what it made."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldtune import launch, worker
from worldtune.config import ComputeConfig, LaunchConfig, RlvrConfig, task_config

if TYPE_CHECKING:
    import pandas as pd


def train_rlvr(
    *,
    train_set: "pd.DataFrame",
    val_set: "pd.DataFrame",
    sft_model: str,
    run_dir: str,
    task: dict[str, Any],
    config: RlvrConfig,
    compute: ComputeConfig,
    processes: LaunchConfig,
    seed: int,
    domain: str,
) -> tuple[str, dict[str, Any]]:
    """Train by GRPO from the SFT checkpoint; returns the new checkpoint's path and metrics."""
    spec = worker.RunSpec(
        stage="rlvr",
        domain=domain,
        task=task_config(domain, task),
        seed=seed,
        compute=compute,
        launch=processes,
        training=config,
        start=sft_model,
    )
    worker.write_spec(Path(run_dir), spec, {"train": train_set, "val": val_set})
    result = launch.run(Path(run_dir))
    return result["model"], result["metrics"]
