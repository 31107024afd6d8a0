"""Node of stage distill: ask the teacher, hand on what it answered well."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldtune.config import DistillConfig, task_config

if TYPE_CHECKING:
    import pandas as pd


def distill_rows(
    *,
    train_set: "pd.DataFrame",
    run_dir: str,
    task: dict[str, Any],
    config: DistillConfig,
    domain: str,
) -> tuple["pd.DataFrame", "pd.DataFrame", dict[str, Any]]:
    """Ask about training rows; returns demonstrations, the distilled set and distill.json."""
    from worldtune.distill.run import distill  # noqa: PLC0415 - listing pipelines needs no pandas

    distilled = distill(
        train_set, Path(run_dir), domain=domain, task=task_config(domain, task), config=config
    )
    return distilled.demonstrations, distilled.training, distilled.report
