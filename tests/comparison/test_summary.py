"""From scores of several seeds to means, intervals and gains."""

import numpy as np
import pytest

from tests.web_rows import web_table
from worldtune.comparison.few import FEW
from worldtune.comparison.methods import METHODS
from worldtune.comparison.summary import summarise
from worldtune.config import WebTaskConfig
from worldtune.domains import get_domain

ROWS = web_table(4).to_dict("records")
DOMAIN = get_domain("web", WebTaskConfig())
FLAT = [0.5] * 4


def arm(values):
    columns = {"f1": np.array(values, dtype=float)}
    return {"greedy": columns, "sampled": {"f1": columns["f1"][:2]}}


def seeds_of(table, *subjects):
    """One seed for each list of scores of the table's subject; all other arms are flat."""
    return [
        {"test_iid": {name: arm(FLAT) for name in table.arms} | {table.subject: arm(values)}}
        for values in subjects
    ]


@pytest.mark.parametrize("table", [METHODS, FEW])
def test_intervals_are_over_rows_after_averaging_the_seeds(table):
    scores = seeds_of(table, [1, 0, 1, 0], [0, 1, 0, 1])
    found = summarise(table, scores, {"test_iid": ROWS}, DOMAIN, resamples=50)["test_iid"]
    subject = found["arms"][table.subject]["greedy"]["f1"]
    assert subject == {"mean": 0.5, "ci95": [0.5, 0.5], "per_seed": [0.5, 0.5]}
    assert found["arms"]["sft"]["sampled"]["f1_changed"]["mean"] == 0.5
    gain = found["gain"][f"{table.subject}_minus_sft"]["f1"]
    assert gain == {"mean": 0.0, "ci95": [0.0, 0.0]}


def test_gains_are_those_of_the_subject_over_every_other_arm():
    scores = seeds_of(FEW, [1, 1, 0, 0], [1, 1, 1, 0])
    gains = summarise(FEW, scores, {"test_iid": ROWS}, DOMAIN, resamples=50)["test_iid"]["gain"]
    assert {name: gain["f1"]["mean"] for name, gain in gains.items()} == {
        "rlvr_few_minus_sft_few": 0.125,
        "rlvr_few_minus_sft_few_longer": 0.125,
        "rlvr_few_minus_sft": 0.125,
    }
