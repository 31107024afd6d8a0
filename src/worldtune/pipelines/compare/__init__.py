"""Stage compare: RLVR beside its controls over several seeds; not part of the chain."""

from worldtune.pipelines.compare.pipeline import create_pipeline

__all__ = ["create_pipeline"]
