"""Numbers and names as text."""

import math

import pytest

from worldtune.reporting.numbers import (
    Measured,
    duration,
    gain_label,
    label,
    number,
    read_measured,
    with_interval,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.6523, "0.652"),
        (25.312, "25.31"),
        (1204.4, "1,204"),
        (0.0000321, "3.2e-05"),
        (0, "0.000"),
        (-0.0178, "-0.018"),
        (math.nan, "n/a"),
        (math.inf, "n/a"),
    ],
)
def test_numbers_have_the_decimals_that_their_size_asks_for(value, text):
    assert number(value) == text


def test_signed_numbers_show_a_plus():
    assert number(0.019, signed=True) == "+0.019"
    assert number(-0.019, signed=True) == "-0.019"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.25 s"),
        (42.2, "42 s"),
        (307.0, "5 min 07 s"),
        (119.7, "2 min 00 s"),
        (7380, "2 h 03 min"),
        (math.nan, "n/a"),
    ],
)
def test_durations_read_like_people_say_them(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"mean": 0.5, "ci95": [0.4, 0.6]}, "0.500 [0.400, 0.600]"),
        ({"mean": 0.5, "ci95": [None, None]}, "0.500"),
        ({"mean": 0.5}, "0.500"),
        ({"mean": None, "ci95": None}, "n/a"),
        (0.5, "0.500"),
        (None, "n/a"),
        ("high", "n/a"),
        ({"mean": True}, "n/a"),
    ],
)
def test_whatever_stands_in_the_file_can_be_printed(value, expected):
    assert with_interval(read_measured(value)) == expected


def test_estimate_without_ends_has_no_interval():
    assert not Measured(0.5).has_interval
    assert not Measured(math.nan).is_defined


def test_names_become_headings():
    assert label("best_of_n_f1") == "Best of n F1"
    assert label("reward/mean") == "Reward mean"
    assert label("exact") == "Exact"
    assert gain_label("rlvr_minus_sft_threshold") == "RLVR minus SFT + threshold"
    assert gain_label("odd") == "Odd"
