"""Stage distill: the training split -> demonstrations with the reasoning of a teacher."""

from worldtune.pipelines.distill.pipeline import create_pipeline

__all__ = ["create_pipeline"]
