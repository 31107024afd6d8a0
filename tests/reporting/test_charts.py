"""Charts as SVG: what is drawn for ordinary, noisy, broken and missing curves."""

import math
import re
import xml.etree.ElementTree as ET

import pytest

from worldtune.reporting.charts import (
    MAX_POINTS,
    Series,
    bars,
    interval_strip,
    line_chart,
    shared_range,
    smooth,
)
from worldtune.reporting.numbers import Measured


def chart(points, **options):
    return line_chart("Loss", [Series("train", tuple(points))], x_label="step", **options)


def test_chart_is_well_formed_and_tells_its_story_in_its_title():
    svg = chart([(0, 4.0), (10, 1.5)])
    root = ET.fromstring(svg)
    title = root.find("svg/title")
    assert title is not None
    assert title.text == "Loss. train: from 4.000 at 0 to 1.500 at 10"


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0, math.nan), (1, math.inf)],
        [(0, 1.0)],
        [(0, 2.0), (1, 2.0)],
        [(0, 0.0), (1, 0.0)],
        [(5, 1e-12), (6, 1e12)],
        [(0, -3.0), (1, math.nan), (2, -1.0)],
        [(0, None), (1, "high"), (2, 0.5)],
    ],
)
@pytest.mark.parametrize("is_log", [False, True])
def test_no_curve_however_odd_breaks_a_chart(points, is_log):
    svg = chart(points, is_log=is_log)
    ET.fromstring(svg)
    assert "nan" not in svg and "inf" not in svg


def test_chart_without_points_says_so():
    assert "Not recorded" in chart([])
    assert "<svg" not in chart([(0, math.nan)])


def test_long_noisy_curve_is_smoothed_over_a_faint_raw_one_and_thinned():
    svg = chart([(i, math.sin(i)) for i in range(5000)])
    paths = dict(re.findall(r'<path class="(raw|line) series-0" d="([^"]*)"', svg))
    assert set(paths) == {"raw", "line"}
    assert all(path.count("L") <= MAX_POINTS + 1 for path in paths.values())


def test_names_are_escaped():
    svg = line_chart("<b>", [Series("a&b", ((0, 1), (1, 2)))], x_label="<x>")
    assert "<b>" not in svg.replace("<b>2.000</b>", "") and "a&amp;b" in svg


def test_logarithmic_axis_is_given_up_where_a_value_is_not_positive():
    assert chart([(0, 0.0), (1, 9.0)], is_log=True) == chart([(0, 0.0), (1, 9.0)])


def test_smoothing_keeps_length_gaps_and_constants():
    values = [1.0] * 59 + [math.nan]
    smoothed = smooth(values)
    assert smoothed[:59] == [1.0] * 59
    assert math.isnan(smoothed[59])


def test_smoothing_is_a_centred_mean():
    # 60 values reach two to each side.
    values = [0.0] * 30 + [5.0] + [0.0] * 29
    assert smooth(values)[27:34] == [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]


def test_interval_strip_draws_point_interval_and_reference_at_their_places():
    svg = interval_strip(Measured(0.5, 0.25, 0.75), low=0, high=1, reference=0.0)
    root = ET.fromstring(svg)
    dot = root.find("circle[@class='dot']")
    whisker = root.find("line[@class='whisker']")
    assert dot is not None and whisker is not None
    assert float(dot.get("cx", "")) == 130
    assert (float(whisker.get("x1", "")), float(whisker.get("x2", ""))) == (68, 192)
    assert root.find("line[@class='zero']") is not None


def test_interval_strip_without_a_value_is_empty_and_without_an_interval_a_point():
    assert interval_strip(Measured(math.nan), low=0, high=1) == ""
    assert "whisker" not in interval_strip(Measured(0.5), low=0, high=1)


def test_shared_range_holds_all_ends_and_the_reference():
    low, high = shared_range([Measured(0.2, 0.1, 0.3), Measured(0.4)], include=0.0)
    assert low < 0.0 and high > 0.4
    assert shared_range([]) == (0.0, 1.0)


def test_bars_leave_out_what_is_undefined():
    html = bars("Wall time", [("sft", 10.0, "10 s"), ("rlvr", math.nan, "n/a")])
    assert "width:100.0%" in html and "rlvr" not in html
    assert "Not recorded" in bars("Wall time", [])
