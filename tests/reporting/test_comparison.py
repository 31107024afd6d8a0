"""The comparison of training recipes: the finding in words, Markdown and HTML."""

import copy

import pytest
from fake_run import comparison, comparison_with_few, estimate

from worldtune.reporting.comparison import render_comparison_html, render_comparison_markdown
from worldtune.reporting.comparison_tables import primary_metric
from worldtune.reporting.finding import few_finding, finding


def with_gain(name, mean, width=0.005):
    changed = comparison()
    changed["splits"]["test_iid"]["gain"][name]["f1"] = estimate(mean, width)
    return changed


def test_the_finding_names_control_groups_parts_and_the_strongest_control():
    assert finding(comparison(), "f1") == (
        "On test_iid (all rows, greedy, 3 seeds), RLVR beats SFT continued for the same wall time: "
        "F1 +0.020 [+0.011, +0.029]; by group of rows, predictable rows -0.008 [-0.018, +0.002], "
        "hidden rows +0.071 [+0.051, +0.091]; on all rows, precision +0.068 [+0.056, +0.080] and "
        "recall -0.021 [-0.033, -0.009]; SFT with a confidence threshold tuned on validation rows "
        "does as well (RLVR minus it: -0.007 [-0.016, +0.002])."
    )


@pytest.mark.parametrize(
    ("name", "mean", "words"),
    [
        ("rlvr_minus_sft_longer", -0.02, "RLVR falls behind SFT continued"),
        ("rlvr_minus_sft_longer", 0.001, "RLVR makes no measurable difference to SFT continued"),
        ("rlvr_minus_sft_threshold", 0.02, "it also beats SFT with a confidence threshold"),
        ("rlvr_minus_sft_threshold", -0.02, "a confidence threshold tuned on validation rows is"),
    ],
)
def test_the_finding_follows_the_numbers(name, mean, words):
    assert words in finding(with_gain(name, mean), "f1")


def test_the_finding_falls_back_to_the_start_and_to_silence():
    partial = comparison()
    del partial["splits"]["test_iid"]["gain"]["rlvr_minus_sft_longer"]
    assert "beats the SFT model that it started from" in finding(partial, "f1")
    assert finding({}, "f1") == "RLVR was not compared with SFT."


def test_markdown_has_all_tables_with_equal_columns_and_ascii_only():
    markdown = render_comparison_markdown(comparison())
    assert markdown.isascii()
    for words in (
        "**Wall time of each recipe**",
        "**Paired gains of RLVR, test_iid (1,412 rows), greedy decoding**",
        "**Scores, test_unseen (873 rows), sampling at T = 1**",
        "SFT, equal time",
        "| Hidden |",
        "0.688, 0.698, 0.708",
        "The confidence thresholds found: 0.350, 0.400, 0.300.",
        "Two cores, one process.",
    ):
        assert words in markdown
    for block in markdown.split("\n\n"):
        rows = [line for line in block.split("\n") if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1


def test_html_shows_the_same_scores_and_draws_the_gains():
    html = render_comparison_html(comparison())
    # Two splits, three controls, three groups of rows.
    assert html.count('<svg class="strip gain"') == 18
    assert "+0.071" in html and "0.688, 0.698, 0.708" in html


def test_the_finding_on_few_demonstrations_names_its_three_controls():
    few = comparison_with_few()["few"] | {"seeds": [0, 1, 2]}
    assert few_finding(few, "f1") == (
        "On test_iid (all rows, greedy, 3 seeds) after 400 demonstrations: RLVR beats the SFT "
        "model that it started from, F1 +0.068 [+0.059, +0.077]; RLVR beats SFT continued for the "
        "same wall time, F1 +0.095 [+0.086, +0.104]; RLVR falls behind SFT on the true outcomes "
        "of all training rows, F1 -0.189 [-0.198, -0.180]."
    )


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (0.02, "RLVR beats even SFT on the"),
        (0.001, "RLVR makes no measurable difference to SFT on"),
    ],
)
def test_the_finding_on_few_demonstrations_follows_the_numbers(mean, words):
    few = comparison_with_few()["few"]
    few["splits"]["test_iid"]["gain"]["rlvr_few_minus_sft"]["f1"] = estimate(mean, 0.005)
    assert words in few_finding(few, "f1")
    few["splits"]["test_iid"]["gain"] = {}
    assert few_finding(few, "f1") == "RLVR after few demonstrations was not compared with SFT."


def test_few_demonstrations_are_a_second_part_in_markdown_after_the_unchanged_first():
    first = render_comparison_markdown(comparison())
    both = render_comparison_markdown(comparison_with_few())
    assert both.startswith(first)
    second = both.removeprefix(first)
    assert second.startswith("\n\n## Few demonstrations\n\nOn test_iid (all rows, greedy, 3 seeds)")
    for words in (
        "SFT on 400 of 9,120 training rows (reasoning: True), 300 steps, answers of up to 320 tok",
        "Each seed draws its own.",
        "**Paired gains of RLVR after few, test_iid (1,412 rows), greedy decoding**",
        "| RLVR after few minus | Rows | F1 |",
        "| SFT on few, equal time | All | +0.095 [+0.086, +0.104] |",
        "| SFT | All | -0.189 [-0.198, -0.180] |",
        "0.460, 0.470, 0.480",
        "**Wall time of each recipe**",
        "**Scores, test_unseen (873 rows), sampling at T = 1**",
    ):
        assert words in second
    assert "threshold" not in second


def test_few_demonstrations_are_a_second_part_in_html():
    html = render_comparison_html(comparison_with_few())
    assert html.count('<svg class="strip gain"') == 36  # twice those of the first part
    assert "<h3>Few demonstrations</h3>" in html
    assert "<h3>" not in render_comparison_html(comparison())


def test_groups_may_be_named_all():
    renamed = copy.deepcopy(comparison())
    for split in renamed["splits"].values():
        for arm in split["arms"].values():
            for scores in arm.values():
                scores["f1_all"] = scores.pop("f1")
        for gain in split["gain"].values():
            gain["f1_all"] = gain.pop("f1")
    assert "F1 +0.020" in finding(renamed, "f1")
    assert "| All |" in render_comparison_markdown(renamed)


def test_the_headline_metric_is_the_stated_one_or_f1_or_the_first():
    assert primary_metric({"primary_metric": "mse"}) == "mse"
    unstated = {key: value for key, value in comparison().items() if key != "primary_metric"}
    assert primary_metric(unstated) == "f1"
    assert primary_metric({}) == ""


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"splits": {"test_iid": {}}},
        {"splits": {"test_iid": {"arms": {"sft": {"greedy": {"f1": None}}}}}},
        {"splits": {"test_iid": {"gain": {"rlvr_minus_sft": {"mean": 0.1, "ci95": None}}}}},
        {"wall_s": {"sft": None}, "threshold": {"per_seed": [None]}},
        {"few": None},
        {"few": {"splits": {"test_iid": {}}, "settings": {"rows": 3}}},
    ],
)
def test_an_unfinished_comparison_can_be_rendered(broken):
    assert "nan" not in render_comparison_markdown(broken)
    assert "nan" not in render_comparison_html(broken)
