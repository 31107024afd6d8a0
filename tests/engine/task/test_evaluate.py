"""Scores on held-out rows: per row, per group of rows, sampled and greedy."""

import numpy as np
import pytest

from tests.engine.tiny import colour_policy, colour_rows, colour_task
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.task.evaluate import (
    Scores,
    copy_scores,
    evaluate_model,
    flatten,
    score_samples,
    score_texts,
    subset_masks,
    summarise_split,
)

ROWS = colour_rows()
RIGHT = [row["answer"] for row in ROWS]
NUM_WARM = 2  # red and pink


def some_right(count):
    return [*RIGHT[:count], *["grey"] * (len(ROWS) - count)]


def scores(count):
    task = colour_task()
    texts = some_right(count)
    sampled, best = score_samples(
        task, task.encode(ROWS[:3]), [["grey", RIGHT[0]], [RIGHT[1]] * 2, ["grey", ""]]
    )
    return Scores(score_texts(task.domain, ROWS, texts), sampled, best, texts)


def test_texts_are_scored_row_by_row():
    found = score_texts(colour_task().domain, ROWS, some_right(3))
    assert found["right"].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert score_texts(colour_task().domain, [], []) == {}


def test_samples_give_their_mean_and_their_best():
    found = scores(0)
    assert found.sampled["right"].tolist() == [0.5, 1.0, 0.0]
    assert found.best["right"].tolist() == [1.0, 1.0, 0.0]


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


def test_subsets_become_columns_of_their_rows():
    masks = subset_masks(colour_task().domain, ROWS)
    assert set(masks) == {"", "warm", "cold"}
    assert masks[""].all() and masks["warm"].sum() == NUM_WARM
    assert (masks["warm"] ^ masks["cold"]).all()
    columns = flatten(scores(3), masks)
    assert set(columns) == {
        "right",
        "right_warm",
        "right_cold",
        "sampled_right",
        "best_of_n_right",
    }
    assert columns["right_warm"].tolist() == [1.0, 0.0]
    assert columns["right_cold"].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_a_split_is_summarised_with_intervals_and_paired_gains():
    domain = colour_task().domain
    models = {"copy": copy_scores(domain, ROWS), "sft": scores(3), "rlvr": scores(5)}
    found = summarise_split(domain, ROWS, models, resamples=200, seed=0)
    assert found["n"] == 8
    assert set(found["models"]) == {"copy", "sft", "rlvr"}
    assert found["models"]["sft"]["right"]["mean"] == pytest.approx(3 / 8)
    assert found["models"]["sft"]["sampled_right"]["mean"] == pytest.approx(0.5)
    assert set(found["models"]["copy"]) == {"right", "right_warm", "right_cold"}
    gains = {name: gain["mean"] for name, gain in found["gain"].items()}
    expected = {"rlvr_minus_sft": 2 / 8, "sft_minus_copy": 3 / 8, "rlvr_minus_copy": 5 / 8}
    assert gains == pytest.approx(expected)
    for estimate in [*found["gain"].values(), *found["models"]["rlvr"].values()]:
        low, high = estimate["ci95"]
        assert low <= estimate["mean"] <= high


def test_gains_are_left_out_where_a_model_is_missing():
    domain = colour_task().domain
    found = summarise_split(domain, ROWS, {"sft": scores(3)}, resamples=50, seed=0)
    assert found["gain"] == {}


def test_an_empty_split_has_no_numbers():
    domain = colour_task().domain
    found = summarise_split(domain, [], {"copy": copy_scores(domain, [])}, resamples=50, seed=0)
    assert found == {"n": 0, "models": {"copy": {}}, "gain": {}}


def test_a_model_is_evaluated_greedily_and_by_sampling():
    task = colour_task()
    engine = BuiltinRollouts(colour_policy(), task.spec)
    examples = task.encode(ROWS)
    options = {"max_new_tokens": 4, "samples": 3, "sampled_rows": 5, "label": "test"}
    found = evaluate_model(engine, task, examples, seed=1, **options)
    assert found.greedy["right"].shape == (8,)
    assert found.sampled["right"].shape == found.best["right"].shape == (5,)
    assert (found.best["right"] >= found.sampled["right"]).all()
    assert len(found.texts) == 8
    again = evaluate_model(engine, task, examples, seed=1, **options)
    assert again.texts == found.texts
    assert np.array_equal(again.sampled["right"], found.sampled["right"])
