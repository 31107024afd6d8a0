"""One split of evaluation.json: means with intervals, gains, groups of rows, changed or not.

Subsets ("hidden") are few, may overlap and have all numbers with intervals. Groups (the sites, the
games) are many and disjoint: they have plain means of the greedy answers and the interval of the
gains. The confusion says who sees that something changes, however right the rest of the answer is.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldtune.contracts import Domain, Row
from worldtune.engine.task.evaluate import CHANGED, SAYINGS, UNCHANGED, Column, Scores, says
from worldtune.statistics import intervals, paired_gain

GAINS = (("rlvr", "sft"), ("sft", "copy"), ("rlvr", "copy"))
"""Which model is measured against which."""


def subset_masks(domain: Domain, rows: Sequence[Row]) -> dict[str, NDArray[np.bool_]]:
    """Name of each subset of rows -> [rows] membership; "" is all of them."""
    members = [domain.subsets(row) for row in rows]
    names = sorted(set().union(*members)) if members else []
    masks = {name: np.array([name in member for member in members]) for name in names}
    return {"": np.ones(len(rows), dtype=bool), **masks}


def flatten(scores: Scores, masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, Column]:
    """Every reported number as a named column: f1, f1_changed, sampled_f1, best_of_n_f1 ..."""
    columns: dict[str, Column] = {}
    for subset, mask in masks.items():
        suffix = f"_{subset}" if subset else ""
        for name, values in scores.greedy.items():
            columns[f"{name}{suffix}"] = values[mask]
    columns |= {f"sampled_{name}": values for name, values in scores.sampled.items()}
    columns |= {f"best_of_n_{name}": values for name, values in scores.best.items()}
    return columns


def summarise_split(
    domain: Domain, rows: Sequence[Row], models: Mapping[str, Scores], *, resamples: int, seed: int
) -> dict[str, Any]:
    """One split of evaluation.json: models, gains of the primary metric, groups, confusion."""
    masks = subset_masks(domain, rows)
    truth = _truth(domain, rows)
    gains = partial(_gains, models, domain.primary_metric, resamples=resamples, seed=seed)
    return {
        "n": len(rows),
        "models": {
            name: _estimates(scores, masks, resamples=resamples, seed=seed)
            for name, scores in models.items()
        },
        "gain": gains(masks[""]),
        "groups": {
            group: {
                "n": int(mask.sum()),
                "models": {name: _means(scores, mask) for name, scores in models.items()},
                "gain": gains(mask),
            }
            for group, mask in _group_masks(domain, rows).items()
        },
        "confusion": {name: _confusion(truth, scores.says) for name, scores in models.items()},
    }


def _estimates(
    scores: Scores, masks: Mapping[str, NDArray[np.bool_]], *, resamples: int, seed: int
) -> dict[str, Any]:
    """Every reported number of a model with its interval."""
    by_length: dict[int, dict[str, Column]] = {}
    for name, column in flatten(scores, masks).items():
        by_length.setdefault(len(column), {})[name] = column
    found = {
        name: estimate.as_json()
        for columns in by_length.values()
        for name, estimate in intervals(columns, num_resamples=resamples, seed=seed).items()
    }
    return dict(sorted(found.items()))


def _gains(
    models: Mapping[str, Scores], metric: str, mask: NDArray[np.bool_], *, resamples: int, seed: int
) -> dict[str, Any]:
    """Paired gains between the models that are there, over the rows of a mask, if any."""
    return {
        f"{better}_minus_{base}": paired_gain(
            models[better].greedy[metric][mask],
            models[base].greedy[metric][mask],
            num_resamples=resamples,
            seed=seed,
        ).as_json()
        for better, base in GAINS
        if mask.any() and better in models and base in models
    }


def _means(scores: Scores, mask: NDArray[np.bool_]) -> dict[str, float]:
    return {name: float(values[mask].mean()) for name, values in scores.greedy.items()}


def _group_masks(domain: Domain, rows: Sequence[Row]) -> dict[str, NDArray[np.bool_]]:
    """Name of each group of rows -> [rows] membership, sorted by name."""
    groups = np.array([domain.group(row) for row in rows])
    return {str(name): groups == name for name in np.unique(groups)}


def _truth(domain: Domain, rows: Sequence[Row]) -> NDArray[np.str_]:
    """What the true completions say: [rows] of changed, unchanged."""
    true = [domain.decode(row, domain.completion(row)) for row in rows]
    return np.where(says(domain, rows, true) == CHANGED, CHANGED, UNCHANGED)


def _confusion(truth: NDArray[np.str_], said: NDArray[np.str_]) -> dict[str, dict[str, int]]:
    """Number of rows by what is true, then by what the model says."""
    return {
        true: {saying: int(((truth == true) & (said == saying)).sum()) for saying in SAYINGS}
        for true in (CHANGED, UNCHANGED)
    }
