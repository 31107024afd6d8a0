"""Stage sft: supervised fine-tuning on the training split."""

from worldtune.pipelines.sft.pipeline import create_pipeline

__all__ = ["create_pipeline"]
