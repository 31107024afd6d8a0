"""The headline sentence against evaluations that won, lost, drew or broke."""

import pytest
from fake_run import estimate, evaluation

from worldtune.reporting.numbers import Measured
from worldtune.reporting.verdict import direction, verdict


@pytest.mark.parametrize(
    ("gain", "higher_is_better", "expected"),
    [
        (Measured(0.02, 0.01, 0.03), True, "better"),
        (Measured(0.02, -0.01, 0.05), True, "no measurable difference"),
        (Measured(0.02, 0.0, 0.04), True, "no measurable difference"),
        (Measured(-0.02, -0.03, -0.01), True, "worse"),
        (Measured(-0.02, -0.03, -0.01), False, "better"),
        (Measured(0.02, 0.01, 0.03), False, "worse"),
        (Measured(0.02), True, "not measured"),
        (Measured(float("nan"), 0.01, 0.03), True, "not measured"),
    ],
)
def test_a_gain_counts_only_if_its_whole_interval_is_on_one_side(gain, higher_is_better, expected):
    assert direction(gain, higher_is_better=higher_is_better) == expected


def test_a_win_is_stated_with_scores_gain_interval_baseline_and_the_other_split():
    assert verdict(evaluation()) == (
        "On test_iid (1,412 rows), RLVR beats SFT: F1 0.671 against 0.652, a gain of +0.019 "
        "(95 % interval +0.006 to +0.032). Predicting no change scores 0.210; on test_unseen, "
        "where no change scores 0.210, RLVR reaches 0.361, -0.004 (95 % interval -0.017 to +0.009) "
        "against SFT."
    )


def test_a_draw_is_not_called_a_win():
    sentence = verdict(evaluation(gain=0.005, gain_width=0.02))
    assert "RLVR makes no measurable difference to SFT" in sentence
    assert "beats" not in sentence


def test_a_loss_is_stated_plainly():
    assert "RLVR is worse than SFT" in verdict(evaluation(gain=-0.05))


def test_lower_can_be_better():
    run = evaluation(gain=-0.05) | {"higher_is_better": False, "primary_metric": "f1"}
    assert "RLVR beats SFT" in verdict(run)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({}, "Nothing was evaluated"),
        ({"splits": {"test_iid": {}}}, "were not compared"),
        ({"splits": {"test_iid": {"gain": {"rlvr_minus_sft": None}}}}, "were not compared"),
        (
            {"splits": {"val": {"n": 1, "gain": {"rlvr_minus_sft": {"mean": 0.1}}}}},
            "too few rows",
        ),
    ],
)
def test_a_broken_evaluation_gets_a_sentence_too(run, words):
    assert words in verdict(run)


def test_gains_may_be_stored_per_metric():
    run = evaluation()
    run["splits"]["test_iid"]["gain"]["rlvr_minus_sft"] = {"f1": estimate(0.1, 0.01)}
    assert "+0.100" in verdict(run)
