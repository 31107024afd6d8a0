"""The graph of stage sft."""

from kedro.pipeline import Node, Pipeline

from worldtune.pipelines.sft.nodes import train_sft
from worldtune.pipelines.stage import build_stage, for_domain


def create_pipeline(domain: str, *, train_set: str = "train_set") -> Pipeline:
    """Training split, or another table of its form -> SFT checkpoint and its metrics."""
    node = Node(
        for_domain(train_sft, domain),
        inputs={
            "train_set": train_set,
            "val_set": "val_set",
            "run_dir": "sft_run",
            "task": "params:task",
            "model": "params:model",
            "config": "params:sft",
            "compute": "params:compute",
            "processes": "params:launch",
            "seed": "params:seed",
        },
        outputs=["sft_model", "sft_metrics"],
        name="train_sft",
    )
    return build_stage([node], stage="sft", domain=domain)
