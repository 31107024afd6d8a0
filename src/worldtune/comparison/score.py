"""The arms of one seed on held-out rows: answers, scores, and the arm that only leaves things out.

SFT with a threshold is no training of its own: it is the answers of the start without the items
that it is unsure of, the threshold tuned on validation rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worldtune import inference
from worldtune.comparison.setting import Setting
from worldtune.comparison.train import Trained
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.task.confidence import itemise, tune_threshold
from worldtune.engine.task.evaluate import Column, score_samples, score_texts, texts_of
from worldtune.engine.task.predict import GREEDY, Completion, predict

if TYPE_CHECKING:
    from worldtune.contracts import Row

DECODINGS = ("greedy", "sampled")

Scores = dict[str, dict[str, dict[str, dict[str, Column]]]]
"""Split -> arm -> decoding -> metric -> [rows]."""


@dataclass(frozen=True)
class _Answers:
    """Completions [rows][1] (greedy) and [first rows][samples] (T = 1) of a checkpoint."""

    greedy: list[list[Completion]]
    sampled: list[list[Completion]]


@dataclass(frozen=True)
class Scored:
    """Scores of the arms of one seed, and the threshold that validation chose (None: no such arm).

    scores: split -> arm -> decoding -> metric -> [rows].
    """

    scores: Scores
    threshold: float | None = None


def score_seed(
    setting: Setting,
    trained: Trained,
    splits: "Mapping[str, list[Row]]",
    *,
    seed: int,
    validation: "list[Row] | None" = None,
) -> Scored:
    """Scores of the trained arms of one seed.

    Validation rows make one arm more, ``<start>_threshold``; None leaves it out.
    """
    scores: Scores = {split: {} for split in splits}
    threshold: float | None = None
    start = next(iter(trained.paths))
    for arm, path in trained.paths.items():
        loaded = inference.load(
            path, domain=setting.domain, task=setting.task, compute=setting.compute
        )
        if arm == start and validation is not None:
            threshold = _tune(loaded, validation, setting)
        for split, rows in splits.items():
            answers = _answer(loaded, rows, setting, seed=seed, label=f"seed {seed} {arm} {split}")
            scores[split][arm] = _score(loaded, rows, answers, threshold=0.0)
            if arm == start and threshold is not None:
                scores[split][f"{arm}_threshold"] = _score(
                    loaded, rows, answers, threshold=threshold
                )
    return Scored(scores, threshold)


def _answer(
    loaded: inference.LoadedModel, rows: "list[Row]", setting: Setting, *, seed: int, label: str
) -> _Answers:
    config = setting.evaluate
    examples = loaded.encode(rows, key=f"{setting.domain}.ingest.max_tokens")

    def answers(sampling: Sampling, samples: int, count: int) -> list[list[Completion]]:
        return predict(
            loaded.engine,
            loaded.task,
            examples[:count],
            max_new_tokens=config.max_new_tokens,
            sampling=sampling,
            samples=samples,
            label=label,
        )

    return _Answers(
        answers(GREEDY, 1, len(examples)),
        answers(Sampling(seed=seed), config.samples, config.sampled_rows),
    )


def _score(
    loaded: inference.LoadedModel, rows: "list[Row]", answers: _Answers, *, threshold: float
) -> dict[str, dict[str, Column]]:
    """Decoding -> metric -> [rows], without the items below the threshold."""
    greedy, drawn = (
        _texts(loaded, completions, threshold) for completions in (answers.greedy, answers.sampled)
    )
    examples = loaded.task.encode(rows[: len(drawn)])
    return {
        "greedy": score_texts(loaded.task.domain, rows, [text for (text,) in greedy]),
        "sampled": score_samples(loaded.task, examples, drawn)[0],
    }


def _texts(
    loaded: inference.LoadedModel, completions: Sequence[Sequence[Completion]], threshold: float
) -> list[list[str]]:
    if not threshold:  # finding the items of long answers takes a while
        return texts_of(loaded.task, completions)
    return [
        [itemise(loaded.task, completion).without_unsure(threshold) for completion in group]
        for group in completions
    ]


def _tune(loaded: inference.LoadedModel, validation: "list[Row]", setting: Setting) -> float:
    examples = loaded.encode(validation, key=f"{setting.domain}.ingest.max_tokens")
    completions = predict(
        loaded.engine, loaded.task, examples, max_new_tokens=setting.evaluate.max_new_tokens
    )
    answers = [itemise(loaded.task, group[0]) for group in completions]
    return tune_threshold(loaded.task, examples, answers)
