"""Node of stage compare: RLVR beside its controls over several seeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldtune.config import (
    CompareConfig,
    ComputeConfig,
    EvaluateConfig,
    LaunchConfig,
    ModelConfig,
    RlvrConfig,
    SftConfig,
    task_config,
)

if TYPE_CHECKING:
    import pandas as pd


def compare_methods(
    *,
    train_set: "pd.DataFrame",
    val_set: "pd.DataFrame",
    test_iid_set: "pd.DataFrame",
    test_unseen_set: "pd.DataFrame",
    run_dir: str,
    task: dict[str, Any],
    model: ModelConfig,
    sft: SftConfig,
    rlvr: RlvrConfig,
    evaluate: EvaluateConfig,
    config: CompareConfig,
    compute: ComputeConfig,
    processes: LaunchConfig,
    domain: str,
) -> tuple[dict[str, Any], str]:
    """Train and score all arms; returns comparison.json and the results page in Markdown."""
    from worldtune import comparison  # noqa: PLC0415 - imports torch
    from worldtune.reporting.comparison import render_comparison_markdown  # noqa: PLC0415

    setting = comparison.Setting(
        domain=domain,
        task=task_config(domain, task),
        model=model,
        sft=sft,
        rlvr=rlvr,
        evaluate=evaluate,
        compare=config,
        compute=compute,
        launch=processes,
        folder=Path(run_dir),
    )
    tests = {"test_iid": test_iid_set, "test_unseen": test_unseen_set}
    result = comparison.compare(setting, train=train_set, val=val_set, tests=tests)
    page = f"# Results: {domain}\n\n{render_comparison_markdown(result)}\n"
    return result, page
