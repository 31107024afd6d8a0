"""Stage ingest: a source of transitions -> checked table, quarantine, splits, validation report."""

from worldtune.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
