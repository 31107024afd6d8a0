"""The choice of examples."""

import numpy as np
import pytest

from worldtune.reporting.examples import choose_examples


def scores(num_rows=600):
    rng = np.random.default_rng(0)
    baseline = rng.uniform(size=num_rows).round(1)
    model = np.where(np.arange(num_rows) % 10 == 0, baseline - 0.1, baseline)
    model = np.where(np.arange(num_rows) % 10 == 1, baseline + 0.1, model)
    return baseline, model, np.arange(num_rows) % 4 == 0


def test_each_kind_of_row_gets_its_share():
    baseline, model, uncertain = scores()
    chosen = choose_examples(baseline, model, uncertain, num_examples=24)
    assert len(chosen) == len(set(chosen)) == 24
    gains = (model - baseline)[chosen]
    assert (gains > 0).sum() >= 4 and (gains < 0).sum() >= 4 and uncertain[chosen].sum() >= 4


def test_same_seed_chooses_the_same_rows():
    assert choose_examples(*scores(), seed=1) == choose_examples(*scores(), seed=1)
    assert choose_examples(*scores(), seed=1) != choose_examples(*scores(), seed=2)


@pytest.mark.parametrize("num_rows", [0, 1, 5])
def test_few_rows_are_all_shown(num_rows):
    chosen = choose_examples([0.0] * num_rows, [0.0] * num_rows, [False] * num_rows)
    assert sorted(chosen) == list(range(num_rows))
