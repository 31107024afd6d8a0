"""The run report: what it says, that it is complete in itself, and that it works in Chromium."""

import math
import re

import pytest
from fake_run import comparison, curves, evaluation, facts

from worldtune.domains.web.recorder.chromium import ChromiumMissingError, find_chromium, launch
from worldtune.reporting.report import render_run_report

TAGS = ["rlvr-better", "sft-better hidden", "", "hidden unchanged"]
EXAMPLES = [
    f'<details class="example" data-tags="{TAGS[i % 4]}"><summary>example {i}</summary>'
    f'<div class="example-body">body</div></details>'
    for i in range(24)
]


def report(**changes):
    arguments = {
        "evaluation": evaluation(),
        "curves": curves(),
        "examples": EXAMPLES,
        "facts": facts(),
        "comparison": comparison(),
    }
    return render_run_report(**(arguments | changes))


def test_report_holds_all_its_parts():
    html = report()
    for words in (
        "RLVR beats SFT: F1 0.671 against 0.652",
        "test_unseen: rows of kinds never seen in training (873 rows)",
        "F1, best of n",
        "Where RLVR pays",
        "By site, and by whether something changes",
        '<a href="#groups">Groups</a>',
        "893,440",
        "5 min 01 s",
        "KL to SFT",
        "example 23",
    ):
        assert words in html
    assert html.count('<details class="example"') + html.count("<details open class") == 24


def test_report_loads_nothing_from_anywhere():
    html = report()
    assert not re.search(r"\s(src|srcset|action|data)\s*=", html)
    assert set(re.findall(r"href=(..)", html)) == {'"#'}
    assert "http" not in html and "url(" not in html and "@import" not in html


def test_the_badge_of_uncertain_items_is_explained_in_the_words_of_the_domain():
    run = evaluation() | {"uncertain_subset": "undetermined"}
    assert '<span class="badge">undetermined</span> true, but' in report(evaluation=run)
    del run["uncertain_subset"]
    assert 'class="badge"' not in report(evaluation=run)


def test_first_examples_are_open_without_any_script():
    assert report().index("<details open") < report().index("example 0")
    assert report().count("<details open") == 2


def test_best_score_follows_the_direction_of_the_metric():
    higher = report(comparison=None)
    lower = report(comparison=None, evaluation=evaluation() | {"higher_is_better": False})
    assert '<b class="best">0.671</b>' in higher and '<b class="best">0.210</b>' not in higher
    assert '<b class="best">0.210</b>' in lower and '<b class="best">0.671</b>' not in lower


def test_facts_and_names_are_escaped():
    html = report(facts={"note": "<script>alert(1)</script>", "more": {"<k>": [1, 2.5, None]}})
    assert "<script>alert" not in html and "&lt;script&gt;alert" in html
    assert "&lt;k&gt;" in html and "1, 2.5, n/a" in html


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"splits": {}},
        {"splits": {"test_iid": {"n": 0, "models": {}, "gain": {}}}},
        {"splits": {"test_iid": {"models": {"sft": {"f1": None}}}}, "primary_metric": "f1"},
        {"splits": {"test_iid": {"models": {"sft": {"f1": {"mean": math.nan}}}}}},
        {"domain": "robot", "wall_s": {"sft": None}, "splits": {"val": {"gain": None}}},
    ],
)
def test_a_broken_run_still_gets_a_report(broken):
    html = report(evaluation=broken, curves={"sft": []}, examples=[], facts={}, comparison=None)
    assert html.startswith("<!DOCTYPE html>")
    assert ">nan<" not in html


def test_another_domain_needs_no_change():
    scores = {"mse": {"mean": 0.012, "ci95": [0.011, 0.013]}, "psnr": {"mean": 24.1, "ci95": None}}
    gain = {"rlvr_minus_sft": {"mean": -0.002, "ci95": [-0.003, -0.001]}}
    split = {"n": 50, "models": {"sft": scores, "rlvr": scores}, "gain": gain}
    run = {"domain": "robot", "primary_metric": "mse", "higher_is_better": False}
    html = report(evaluation=run | {"splits": {"test_iid": split}}, comparison=None)
    assert "RLVR beats SFT: MSE" in html and "PSNR" in html and "24.10" in html


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="PLAYWRIGHT IS NOT INSTALLED")
    try:
        executable = find_chromium()
    except ChromiumMissingError as error:
        pytest.skip(f"THE REPORT WAS NOT LOOKED AT: {error}")
    with sync_api.sync_playwright() as playwright:
        chromium = launch(playwright, executable=executable)
        yield chromium
        chromium.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_report_fits_and_filters_in_chromium_without_network(browser, tmp_path, scheme, width):
    path = tmp_path / "report.html"
    path.write_text(report(), encoding="utf-8")
    context = browser.new_context(
        offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    page = context.new_page()
    problems, requests = [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("button", name="RLVR better (6)").click()
    assert page.locator("details.example:visible").count() == 6
    page.get_by_role("button", name="Hidden (12)").click()
    assert page.locator("details.example:visible").count() == 12
    page.get_by_role("button", name="All (24)").click()
    page.get_by_role("button", name="Open or close all").click()
    assert page.locator("details.example[open]").count() == 24
    is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert is_dark == (scheme == "dark")
    assert problems == [] and requests == [path.as_uri()]
    context.close()
