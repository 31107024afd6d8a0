"""A split in numbers: subsets, gains, groups of rows, and who sees that something changes."""

import pytest

from tests.engine.tiny import colour_rows, colour_task
from worldtune.engine.task.evaluate import Scores, copy_scores, says, score_samples, score_texts
from worldtune.engine.task.split_summary import flatten, subset_masks, summarise_split

ROWS = colour_rows()
RIGHT = [row["answer"] for row in ROWS]
NUM_WARM = 2  # red and pink
DOMAIN = colour_task().domain


def scored(texts, rows=ROWS):
    predictions = [DOMAIN.decode(row, text) for row, text in zip(rows, texts, strict=True)]
    return Scores(score_texts(DOMAIN, rows, texts), {}, {}, texts, says(DOMAIN, rows, predictions))


def scores(count):
    task = colour_task()
    found = scored([*RIGHT[:count], *["grey"] * (len(ROWS) - count)])
    sampled, best = score_samples(
        task, task.encode(ROWS[:3]), [["grey", RIGHT[0]], [RIGHT[1]] * 2, ["grey", ""]]
    )
    return Scores(found.greedy, sampled, best, found.texts, found.says)


def summary(models, rows=ROWS):
    return summarise_split(DOMAIN, rows, models, resamples=200, seed=0)


def test_subsets_become_columns_of_their_rows():
    masks = subset_masks(DOMAIN, ROWS)
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
    found = summary({"copy": copy_scores(DOMAIN, ROWS), "sft": scores(3), "rlvr": scores(5)})
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
    assert summary({"sft": scores(3)})["gain"] == {}


def test_an_empty_split_has_no_numbers():
    nothing = {"changed": 0, "unchanged": 0, "unreadable": 0}
    assert summary({"sft": scored([], []), "rlvr": scored([], [])}, []) == {
        "n": 0,
        "models": {"sft": {}, "rlvr": {}},
        "gain": {},
        "groups": {},
        "confusion": {name: {"changed": nothing, "unchanged": nothing} for name in ("sft", "rlvr")},
    }


def test_every_group_has_its_rows_means_and_gains():
    found = summary({"copy": copy_scores(DOMAIN, ROWS), "sft": scores(3), "rlvr": scores(5)})
    groups = found["groups"]
    assert list(groups) == ["b", "g", "p", "r", "w"]  # by the first letter of the question
    assert [group["n"] for group in groups.values()] == [3, 2, 1, 1, 1]
    # blue, black, brown: sft has the first right, rlvr the first two.
    means = {name: values["right"] for name, values in groups["b"]["models"].items()}
    assert means == pytest.approx({"copy": 0.0, "sft": 1 / 3, "rlvr": 2 / 3})
    gain = groups["b"]["gain"]["rlvr_minus_sft"]
    assert gain["mean"] == pytest.approx(1 / 3)
    assert gain["ci95"] == pytest.approx([0.0, 1.0])
    # One row has no spread to resample.
    assert groups["w"]["gain"]["rlvr_minus_sft"] == {"mean": 1.0, "ci95": [None, None]}


def test_the_confusion_counts_who_sees_that_something_changes():
    rows = [*ROWS[:3], {"question": "grey", "answer": "grey"}, {"question": "red", "answer": ""}]
    # Truly: three changes, no change ("grey" says so), and a true answer that nobody can read.
    found = summary({"sft": scored(["red", "grey", "", "pink", "grey"], rows)}, rows)
    assert found["confusion"]["sft"] == {
        "changed": {"changed": 1, "unchanged": 1, "unreadable": 1},
        "unchanged": {"changed": 1, "unchanged": 1, "unreadable": 0},
    }
    assert found["n"] == 5
