"""Bootstrap intervals against a plain loop, a known distribution and the clock."""

import json
import math
import time

import numpy as np
import pytest

from worldtune.statistics import Estimate, interval, intervals, paired_gain


def plain_loop_interval(values, num_resamples, seed):
    """The textbook definition, one resample and one percentile at a time."""
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(num_resamples):
        sample = [values[rng.integers(0, len(values))] for _ in values]
        means.append(sum(sample) / len(sample))
    means.sort()

    def percentile(fraction):
        position = fraction * (len(means) - 1)
        below = math.floor(position)
        above = min(below + 1, len(means) - 1)
        return means[below] + (position - below) * (means[above] - means[below])

    return sum(values) / len(values), percentile(0.025), percentile(0.975)


def test_interval_agrees_with_a_plain_loop():
    values = list(np.random.default_rng(5).beta(0.6, 0.4, size=60))
    mean, low, high = plain_loop_interval(values, 4000, seed=11)
    estimate = interval(values, num_resamples=20_000, seed=3)
    assert estimate.mean == pytest.approx(mean, abs=1e-12)
    # Two independent bootstraps differ by Monte Carlo noise of about 0.002 here.
    assert estimate.low == pytest.approx(low, abs=0.006)
    assert estimate.high == pytest.approx(high, abs=0.006)


def test_interval_of_two_values_is_known_exactly():
    # The resampled mean of (0, 1) is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4.
    assert interval([0.0, 1.0]) == Estimate(0.5, 0.0, 1.0)


def test_interval_covers_the_true_mean_nineteen_times_in_twenty():
    rng = np.random.default_rng(2024)
    covered = 0
    for trial in range(400):
        estimate = interval(rng.binomial(1, 0.3, size=150), num_resamples=500, seed=trial)
        covered += estimate.low <= 0.3 <= estimate.high
    # 95 % of 400 is 380; the binomial spread is 4.4 and the percentile method is slightly narrow.
    assert 360 <= covered <= 395


def test_constant_values_have_an_interval_of_zero_width():
    assert interval([0.1] * 30) == Estimate(pytest.approx(0.1), 0.1, 0.1)


def test_no_rows_have_no_mean():
    estimate = interval([])
    assert all(math.isnan(x) for x in (estimate.mean, estimate.low, estimate.high))
    assert estimate.as_json() == {"mean": None, "ci95": [None, None]}


def test_one_row_has_a_mean_but_no_interval():
    estimate = interval([0.25])
    assert estimate.mean == 0.25
    assert math.isnan(estimate.low) and math.isnan(estimate.high)
    assert not estimate.low > 0
    assert json.loads(json.dumps(estimate.as_json())) == {"mean": 0.25, "ci95": [None, None]}


def test_paired_gain_is_the_interval_of_the_differences():
    rng = np.random.default_rng(0)
    baseline = rng.uniform(size=300)
    better = baseline + 0.02 + rng.normal(scale=0.01, size=300)
    gain = paired_gain(better, baseline, seed=4)
    assert gain == interval(better - baseline, seed=4)
    assert gain.low > 0.018
    # Unpaired, the same numbers would prove nothing.
    assert interval(better).low < interval(baseline).high


def test_same_seed_gives_same_interval_and_other_seed_another():
    values = np.random.default_rng(1).uniform(size=50)
    assert interval(values, seed=7) == interval(values, seed=7)
    assert interval(values, seed=7) != interval(values, seed=8)


def test_many_metrics_get_the_same_answers_as_one_at_a_time():
    rng = np.random.default_rng(9)
    columns = {name: rng.uniform(size=80) for name in ("f1", "precision", "recall")}
    together = intervals(columns, num_resamples=300, seed=2)
    for name, values in columns.items():
        alone = interval(values, num_resamples=300, seed=2)
        assert together[name].low == pytest.approx(alone.low, abs=1e-12)
        assert together[name].high == pytest.approx(alone.high, abs=1e-12)
    assert intervals({}) == {}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval([0.1, math.nan]), "not finite"),
        (lambda: interval([[0.1, 0.2]]), "shape"),
        (lambda: interval([0.1, 0.2], num_resamples=0), "num_resamples"),
        (lambda: paired_gain([1.0, 2.0], [1.0]), "2 and 1"),
        (lambda: intervals({"a": [1.0], "b": [1.0, 2.0]}), "same number of rows"),
    ],
)
def test_bad_input_is_refused_with_a_message(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_ten_thousand_resamples_of_two_thousand_rows_are_quick():
    table = np.random.default_rng(0).uniform(size=(2000, 24))
    columns = {f"metric_{i}": table[:, i] for i in range(24)}
    start = time.process_time()
    intervals(columns, num_resamples=10_000)
    # About 0.3 s on one idle core; generous, because test machines are busy.
    assert time.process_time() - start < 3
