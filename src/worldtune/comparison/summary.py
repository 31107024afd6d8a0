"""Scores of all seeds as a section of comparison.json: every arm, and gains over the controls."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from worldtune.comparison.score import DECODINGS, Scores
from worldtune.comparison.setting import Table
from worldtune.engine.task.evaluate import Column
from worldtune.engine.task.split_summary import subset_masks
from worldtune.statistics import interval

if TYPE_CHECKING:
    from worldtune.contracts import Domain, Row

Grouped = dict[str, NDArray[np.float64]]
"""Metric with the suffix of its group of rows -> [seeds, rows of the group]."""


def summarise(
    table: Table,
    scores: Sequence[Scores],
    splits: "Mapping[str, list[Row]]",
    domain: "Domain",
    *,
    resamples: int,
) -> dict[str, Any]:
    """The ``splits`` section of a table: means over rows and seeds, and paired gains, greedy."""
    result: dict[str, Any] = {}
    for split, rows in splits.items():
        masks = subset_masks(domain, rows)
        arms = {
            arm: {
                decoding: _grouped([seed[split][arm][decoding] for seed in scores], masks)
                for decoding in DECODINGS
            }
            for arm in table.arms
        }
        subject = arms[table.subject]["greedy"]
        result[split] = {
            "arms": {
                arm: {
                    decoding: _means(grouped, resamples) for decoding, grouped in decodings.items()
                }
                for arm, decodings in arms.items()
            },
            "gain": {
                f"{table.subject}_minus_{arm}": _gains(subject, decodings["greedy"], resamples)
                for arm, decodings in arms.items()
                if arm != table.subject
            },
        }
    return result


def _grouped(
    by_seed: Sequence[dict[str, Column]], masks: Mapping[str, NDArray[np.bool_]]
) -> Grouped:
    return {
        f"{metric}_{group}" if group else metric: np.stack(
            [columns[metric][mask[: len(columns[metric])]] for columns in by_seed]
        )
        for group, mask in masks.items()
        for metric in by_seed[0]
    }


def _means(grouped: Grouped, resamples: int) -> dict[str, Any]:
    """Means with intervals over rows, and of each seed."""
    return {
        metric: {
            **interval(values.mean(axis=0), num_resamples=resamples).as_json(),
            "per_seed": values.mean(axis=1).tolist() if values.size else [],
        }
        for metric, values in grouped.items()
    }


def _gains(better: Grouped, baseline: Grouped, resamples: int) -> dict[str, Any]:
    """Paired gains, averaged over the seeds before rows are resampled."""
    return {
        metric: interval(
            (values - baseline[metric]).mean(axis=0), num_resamples=resamples
        ).as_json()
        for metric, values in better.items()
    }
