"""The graph of stage ingest."""

from kedro.pipeline import Node, Pipeline

from worldtune.ingestion.splits import SPLITS
from worldtune.pipelines.ingest.nodes import (
    build_transitions,
    split_sets,
    write_validation_report,
)
from worldtune.pipelines.stage import build_stage, for_domain


def create_pipeline(domain: str) -> Pipeline:
    """Source -> transitions, quarantine, counts; transitions -> a set per split; the report."""
    nodes = [
        Node(
            for_domain(build_transitions, domain),
            inputs={"config": "params:ingest", "seed": "params:seed"},
            outputs=["transitions", "quarantine", "ingest_report"],
            name="build_transitions",
        ),
        Node(
            split_sets,
            inputs="transitions",
            outputs=[f"{split}_set" for split in SPLITS],
            name="split_sets",
        ),
        Node(
            for_domain(write_validation_report, domain),
            inputs={
                "transitions": "transitions",
                "quarantine": "quarantine",
                "ingest_report": "ingest_report",
            },
            outputs="validation_report",
            name="write_validation_report",
        ),
    ]
    return build_stage(nodes, stage="ingest", domain=domain)
