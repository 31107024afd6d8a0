"""Stage rlvr: reinforcement learning with the domain's verifiable reward, from the SFT model."""

from worldtune.pipelines.rlvr.pipeline import create_pipeline

__all__ = ["create_pipeline"]
