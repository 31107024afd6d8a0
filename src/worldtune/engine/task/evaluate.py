"""How right a model is on held-out rows, row by row."""

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

Column = NDArray[np.float64]

CHANGED, UNCHANGED, UNREADABLE = SAYINGS = ("changed", "unchanged", "unreadable")
"""What an answer can say about a row, right or wrong."""


@dataclass(frozen=True)
class Scores:
    """Metrics of one model on one split.

    greedy: metric -> [rows]. sampled and best: likewise, mean and best over the samples of each of
    the first rows. texts: the greedy completions, "" for models that write none. says: [rows], one
    of ``SAYINGS``, what the greedy completions say.
    """

    greedy: Mapping[str, Column]
    sampled: Mapping[str, Column]
    best: Mapping[str, Column]
    texts: Sequence[str]
    says: NDArray[np.str_]


def says(
    domain: Domain, rows: Sequence[Row], predictions: Sequence[Any | None]
) -> NDArray[np.str_]:
    """What each prediction says about its row, one of ``SAYINGS``: [rows]."""
    sayings = [_saying(domain, row, one) for row, one in zip(rows, predictions, strict=True)]
    return np.array(sayings, dtype=np.str_)


def _saying(domain: Domain, row: Row, prediction: Any | None) -> str:
    if prediction is None:
        return UNREADABLE
    return CHANGED if domain.is_change(row, prediction) else UNCHANGED


def score_texts(domain: Domain, rows: Sequence[Row], texts: Sequence[str]) -> dict[str, Column]:
    """Metrics of completions, metric -> [rows]."""
    return _score(domain, rows, _decode(domain, rows, texts))


def _decode(domain: Domain, rows: Sequence[Row], texts: Sequence[str]) -> list[Any | None]:
    return [domain.decode(row, text) for row, text in zip(rows, texts, strict=True)]


def _score(
    domain: Domain, rows: Sequence[Row], predictions: Sequence[Any | None]
) -> dict[str, Column]:
    values = [domain.metrics(row, one) for row, one in zip(rows, predictions, strict=True)]
    names = values[0] if values else ()
    return {name: np.array([value[name] for value in values]) for name in names}


def copy_scores(domain: Domain, rows: Sequence[Row]) -> Scores:
    """The trivial model that predicts no change."""
    same = [domain.copy_prediction(row) for row in rows]
    return Scores(_score(domain, rows, same), {}, {}, [""] * len(rows), says(domain, rows, same))


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
    rows = [example.row for example in examples]
    predictions = _decode(task.domain, rows, texts)
    scored = _score(task.domain, rows, predictions)
    return Scores(scored, sampled, best, texts, says(task.domain, rows, predictions))
