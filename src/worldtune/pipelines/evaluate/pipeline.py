"""The graph of stage evaluate."""

from kedro.pipeline import Node, Pipeline

from worldtune.pipelines.evaluate.nodes import evaluate_models, write_report
from worldtune.pipelines.stage import build_stage, for_domain


def create_pipeline(domain: str) -> Pipeline:
    """Test splits and both checkpoints -> predictions, scores with intervals, HTML report."""
    nodes = [
        Node(
            for_domain(evaluate_models, domain),
            inputs={
                "test_iid_set": "test_iid_set",
                "test_unseen_set": "test_unseen_set",
                "sft_model": "sft_model",
                "rlvr_model": "rlvr_model",
                "ingest_report": "ingest_report",
                "sft_metrics": "sft_metrics",
                "rlvr_metrics": "rlvr_metrics",
                "task": "params:task",
                "config": "params:evaluate",
                "compute": "params:compute",
                "seed": "params:seed",
            },
            outputs=["predictions", "evaluation"],
            name="evaluate_models",
        ),
        Node(
            for_domain(write_report, domain),
            inputs={
                "evaluation": "evaluation",
                "predictions": "predictions",
                "test_iid_set": "test_iid_set",
                "test_unseen_set": "test_unseen_set",
                "ingest_report": "ingest_report",
                "sft_metrics": "sft_metrics",
                "rlvr_metrics": "rlvr_metrics",
                "sft_run": "sft_run",
                "rlvr_run": "rlvr_run",
                "task": "params:task",
                "config": "params:evaluate",
            },
            outputs="report",
            name="write_report",
        ),
    ]
    return build_stage(nodes, stage="evaluate", domain=domain)
