"""Node of stage sft: write the run's specification, start its processes, hand on what it made."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldtune import launch, worker
from worldtune.config import ComputeConfig, LaunchConfig, ModelConfig, SftConfig, task_config

if TYPE_CHECKING:
    import pandas as pd


def train_sft(
    *,
    train_set: "pd.DataFrame",
    val_set: "pd.DataFrame",
    run_dir: str,
    task: dict[str, Any],
    model: ModelConfig,
    config: SftConfig,
    compute: ComputeConfig,
    processes: LaunchConfig,
    seed: int,
    domain: str,
) -> tuple[str, dict[str, Any]]:
    """Train by supervised fine-tuning; returns the checkpoint's path and the run's metrics."""
    spec = worker.RunSpec(
        stage="sft",
        domain=domain,
        task=task_config(domain, task),
        seed=seed,
        compute=compute,
        launch=processes,
        training=config,
        model=model,
    )
    worker.write_spec(Path(run_dir), spec, {"train": train_set, "val": val_set})
    result = launch.run(Path(run_dir))
    return result["model"], result["metrics"]
