"""The graph of stage distill."""

from kedro.pipeline import Node, Pipeline

from worldtune.pipelines.distill.nodes import distill_rows
from worldtune.pipelines.stage import build_stage, for_domain


def create_pipeline(domain: str) -> Pipeline:
    """Training split and a teacher -> demonstrations, a training split with reasoning, counts."""
    node = Node(
        for_domain(distill_rows, domain),
        inputs={
            "train_set": "train_set",
            "run_dir": "distill_run",
            "task": "params:task",
            "config": "params:distill",
        },
        outputs=["demonstrations", "distilled_set", "distill_metrics"],
        name="distill_rows",
    )
    return build_stage([node], stage="distill", domain=domain)
