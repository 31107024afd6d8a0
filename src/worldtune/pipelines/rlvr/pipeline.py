"""The graph of stage rlvr."""

from kedro.pipeline import Node, Pipeline

from worldtune.pipelines.rlvr.nodes import train_rlvr
from worldtune.pipelines.stage import build_stage, for_domain


def create_pipeline(domain: str) -> Pipeline:
    """SFT checkpoint and training split -> RLVR checkpoint and its metrics."""
    node = Node(
        for_domain(train_rlvr, domain),
        inputs={
            "train_set": "train_set",
            "val_set": "val_set",
            "sft_model": "sft_model",
            "run_dir": "rlvr_run",
            "task": "params:task",
            "config": "params:rlvr",
            "compute": "params:compute",
            "processes": "params:launch",
            "seed": "params:seed",
        },
        outputs=["rlvr_model", "rlvr_metrics"],
        name="train_rlvr",
    )
    return build_stage([node], stage="rlvr", domain=domain)
