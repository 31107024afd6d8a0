"""How right models are on held-out rows: per-row metrics, means with intervals, paired gains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldtune.contracts import Domain, Row
from worldtune.engine.rollout.plan import RolloutEngine
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.task.predict import Completion, predict
from worldtune.engine.task.text_task import Example, TextTask
from worldtune.statistics import intervals, paired_gain

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Metrics of one model on one split.

    greedy: metric -> [rows]. sampled and best: likewise, mean and best over the samples of each of
    the first rows. texts: the greedy completions, "" for models that write none.
    """

    greedy: Mapping[str, Column]
    sampled: Mapping[str, Column]
    best: Mapping[str, Column]
    texts: Sequence[str]


def score_texts(domain: Domain, rows: Sequence[Row], texts: Sequence[str]) -> dict[str, Column]:
    """Metrics of completions, metric -> [rows]."""
    values = [
        domain.metrics(row, domain.decode(row, text)) for row, text in zip(rows, texts, strict=True)
    ]
    return _columns(values)


def _columns(values: Sequence[Mapping[str, float]]) -> dict[str, Column]:
    names = values[0] if values else ()
    return {name: np.array([value[name] for value in values]) for name in names}


def copy_scores(domain: Domain, rows: Sequence[Row]) -> Scores:
    """The trivial model that predicts no change."""
    values = [domain.metrics(row, domain.copy_prediction(row)) for row in rows]
    return Scores(_columns(values), {}, {}, [""] * len(rows))


def score_samples(
    task: TextTask, examples: Sequence[Example], texts: Sequence[Sequence[str]]
) -> tuple[dict[str, Column], dict[str, Column]]:
    """Mean and best over the samples of each example, metric -> [rows]."""
    rows = [example.row for example in examples]
    samples = [
        score_texts(task.domain, rows, [group[i] for group in texts])
        for i in range(len(texts[0]) if texts else 0)
    ]
    if not samples:
        return {}, {}
    best = np.max if task.domain.higher_is_better else np.min
    stacked = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    return (
        {name: values.mean(axis=0) for name, values in stacked.items()},
        {name: best(values, axis=0) for name, values in stacked.items()},
    )


def texts_of(task: TextTask, completions: Sequence[Sequence[Completion]]) -> list[list[str]]:
    """Completions as text."""
    return [[task.text(completion.ids) for completion in group] for group in completions]


def evaluate_model(
    engine: RolloutEngine,
    task: TextTask,
    examples: Sequence[Example],
    *,
    max_new_tokens: int,
    samples: int,
    sampled_rows: int,
    seed: int,
    label: str,
) -> Scores:
    """Complete every example greedily and the first ``sampled_rows`` also by sampling at T = 1."""
    greedy = predict(engine, task, examples, max_new_tokens=max_new_tokens, label=label)
    texts = [group[0] for group in texts_of(task, greedy)]
    chosen = examples[:sampled_rows]
    drawn = predict(
        engine,
        task,
        chosen,
        max_new_tokens=max_new_tokens,
        sampling=Sampling(seed=seed),
        samples=samples,
        label=f"{label} sampled",
    )
    sampled, best = score_samples(task, chosen, texts_of(task, drawn))
    scored = score_texts(task.domain, [example.row for example in examples], texts)
    return Scores(scored, sampled, best, texts)


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
    """One split of evaluation.json: rows, means with intervals, gains of the primary metric."""
    masks = subset_masks(domain, rows)

    def estimates(scores: Scores) -> dict[str, Any]:
        by_length: dict[int, dict[str, Column]] = {}
        for name, column in flatten(scores, masks).items():
            by_length.setdefault(len(column), {})[name] = column
        found = {
            name: estimate.as_json()
            for columns in by_length.values()
            for name, estimate in intervals(columns, num_resamples=resamples, seed=seed).items()
        }
        return dict(sorted(found.items()))

    pairs = [("rlvr", "sft"), ("sft", "copy"), ("rlvr", "copy")]
    metric = domain.primary_metric
    gains = {
        f"{better}_minus_{base}": paired_gain(
            models[better].greedy[metric],
            models[base].greedy[metric],
            num_resamples=resamples,
            seed=seed,
        ).as_json()
        for better, base in pairs
        if better in models and base in models
    }
    return {
        "n": len(rows),
        "models": {name: estimates(scores) for name, scores in models.items()},
        "gain": gains,
    }
