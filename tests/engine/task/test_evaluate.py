"""Scores on held-out rows, row by row: greedy, sampled, and whether a change is predicted."""

import numpy as np

from tests.engine.tiny import colour_policy, colour_rows, colour_task
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.task.evaluate import (
    copy_scores,
    evaluate_model,
    says,
    score_samples,
    score_texts,
)

ROWS = colour_rows()
RIGHT = [row["answer"] for row in ROWS]


def some_right(count):
    return [*RIGHT[:count], *["grey"] * (len(ROWS) - count)]


def test_texts_are_scored_row_by_row():
    found = score_texts(colour_task().domain, ROWS, some_right(3))
    assert found["right"].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert score_texts(colour_task().domain, [], []) == {}


def test_samples_give_their_mean_and_their_best():
    task = colour_task()
    texts = [["grey", RIGHT[0]], [RIGHT[1]] * 2, ["grey", ""]]
    sampled, best = score_samples(task, task.encode(ROWS[:3]), texts)
    assert sampled["right"].tolist() == [0.5, 1.0, 0.0]
    assert best["right"].tolist() == [1.0, 1.0, 0.0]


def test_the_best_sample_is_the_smallest_where_less_is_better():
    task = colour_task()
    domain = type(task.domain)(task.domain.reward, higher_is_better=False)
    task = type(task)(domain, task.tokenizer)
    _, best = score_samples(task, task.encode(ROWS[:1]), [["grey", RIGHT[0]]])
    assert best["right"].tolist() == [0.0]


def test_no_samples_give_no_columns():
    assert score_samples(colour_task(), [], []) == ({}, {})


def test_the_copy_model_predicts_no_change():
    found = copy_scores(colour_task().domain, ROWS)
    assert found.greedy["right"].tolist() == [0.0] * 8
    assert (found.sampled, found.best, found.texts) == ({}, {}, [""] * 8)
    # In this task "grey" means that nothing changes.
    assert found.says.tolist() == ["changed"] * 6 + ["unchanged", "changed"]


def test_a_prediction_says_that_something_changes_or_not_or_cannot_be_read():
    domain = colour_task().domain
    assert says(domain, colour_rows()[:3], [["red"], ["grey"], None]).tolist() == [
        "changed",
        "unchanged",
        "unreadable",
    ]
    assert says(domain, [], []).tolist() == []


def test_a_model_is_evaluated_greedily_and_by_sampling():
    task = colour_task()
    engine = BuiltinRollouts(colour_policy(), task.spec)
    examples = task.encode(ROWS)
    options = {"max_new_tokens": 4, "samples": 3, "sampled_rows": 5, "label": "test"}
    found = evaluate_model(engine, task, examples, seed=1, **options)
    assert found.greedy["right"].shape == (8,)
    assert found.sampled["right"].shape == found.best["right"].shape == (5,)
    assert (found.best["right"] >= found.sampled["right"]).all()
    assert len(found.texts) == len(found.says) == 8
    assert {"changed"} <= set(found.says) <= {"changed", "unchanged", "unreadable"}
    again = evaluate_model(engine, task, examples, seed=1, **options)
    assert again.texts == found.texts
    assert np.array_equal(again.sampled["right"], found.sampled["right"])
