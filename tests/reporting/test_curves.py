"""Which logged numbers become which charts."""

import math

import pytest
from fake_run import curves

from worldtune.reporting.curves import render_curves


def test_every_logged_number_is_drawn_somewhere():
    html = render_curves("rlvr", curves()["rlvr"])
    for words in (
        *("Reward", "Parts of the reward", "Precision", "Recall", "Format", "Validation"),
        *("KL to SFT", "Entropy", "clipped", "Length of completions", "Spread"),
        *("Unreadable answers", "Groups without", "Learning rate", "Timing step s"),
    ):
        assert words in html
    assert html.count("<svg") == 15


def test_unknown_stages_and_keys_are_drawn_all_the_same():
    html = render_curves("tune", [{"step": 1, "novel/number": 1.0}, {"step": 2, "novel/number": 2}])
    assert "Novel number" in html and html.count("<svg") == 1


@pytest.mark.parametrize(
    "curve",
    [
        [],
        [{}],
        [{"step": 1}],
        [{"step": 1, "loss": math.nan}, {"step": 2, "loss": None}],
        [{"loss": 1.0}, {"step": "x", "loss": 2.0}],
        [{"step": 1, "loss": 1.0, "timing": {}}],
        [{"step": 1, "loss": True, "note": "text", "list": [1]}],
    ],
)
def test_short_and_broken_logs_do_not_stop_the_report(curve):
    html = render_curves("sft", curve)
    assert "nan" not in html
