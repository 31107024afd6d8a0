"""The table of stages x domains, as named Kedro pipelines.

``<stage>_<domain>`` is one stage, with exceptions. ``rlvr_<domain>`` is the whole chain up to the
evaluation, so that the first command of a newcomer needs nothing before it; ``compare_<domain>``
and ``distill_<domain>`` begin with ingestion for the same reason. ``sft_distilled_<domain>`` is SFT
on the training rows that ``distill_<domain>`` left, with a teacher's reasoning in them. Every node
bears its stage as a tag: ``kedro run --pipelines=rlvr_web --tags=rlvr`` runs that stage alone.
"""

from collections.abc import Callable
from functools import partial

from kedro.pipeline import Pipeline

from worldtune.domains import DOMAINS
from worldtune.pipelines import compare, distill, evaluate, ingest, rlvr, sft

STAGES: dict[str, Callable[[str], Pipeline]] = {
    "ingest": ingest.create_pipeline,
    "distill": distill.create_pipeline,
    "sft": sft.create_pipeline,
    "sft_distilled": partial(sft.create_pipeline, train_set="distilled_set"),
    "rlvr": rlvr.create_pipeline,
    "evaluate": evaluate.create_pipeline,
    "compare": compare.create_pipeline,
}
CHAINS = {
    "ingest": ("ingest",),
    "distill": ("ingest", "distill"),
    "sft": ("sft",),
    "sft_distilled": ("sft_distilled",),
    "evaluate": ("evaluate",),
    "rlvr": ("ingest", "sft", "rlvr", "evaluate"),
    "compare": ("ingest", "compare"),
}
"""Pipeline name without the domain -> the stages it runs, in order."""

DEFAULT = "rlvr_web"


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline of every domain, and ``__default__``."""
    pipelines = {
        f"{name}_{domain}": sum((STAGES[stage](domain) for stage in stages), Pipeline([]))
        for domain in DOMAINS
        for name, stages in CHAINS.items()
    }
    return {**pipelines, "__default__": pipelines[DEFAULT]}
