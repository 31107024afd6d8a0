"""Stage evaluate: predictions of every model on the test splits, their scores, and the report."""

from worldtune.pipelines.evaluate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
