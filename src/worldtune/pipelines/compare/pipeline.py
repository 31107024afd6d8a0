"""The graph of stage compare."""

from kedro.pipeline import Node, Pipeline

from worldtune.pipelines.compare.nodes import compare_methods
from worldtune.pipelines.stage import build_stage, for_domain


def create_pipeline(domain: str) -> Pipeline:
    """Splits and parameters -> SFT, more SFT, SFT with a threshold and RLVR, per seed."""
    node = Node(
        for_domain(compare_methods, domain),
        inputs={
            "train_set": "train_set",
            "val_set": "val_set",
            "test_iid_set": "test_iid_set",
            "test_unseen_set": "test_unseen_set",
            "run_dir": "compare_run",
            "task": "params:task",
            "model": "params:model",
            "sft": "params:sft",
            "rlvr": "params:rlvr",
            "evaluate": "params:evaluate",
            "config": "params:compare",
            "compute": "params:compute",
            "processes": "params:launch",
        },
        outputs=["comparison", "comparison_page"],
        name="compare_methods",
    )
    return build_stage([node], stage="compare", domain=domain)
