"""What all views share: verdicts, tags, and text that cannot do harm."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from worldtune.domains import fragment
from worldtune.domains.fragment import Example, ItemWriter, Line, judge

WRITER = ItemWriter(fragment.text, fragment.badge("open", meaning="Left open"))


@dataclass(frozen=True)
class Guess:
    """A prediction that knows its own score."""

    value: float = 0.0
    is_empty: bool = False


class Scored:
    """A domain that believes what a prediction says about itself; None scores 0."""

    primary_metric = "iou"
    uncertain_subset = "open"

    def metrics(self, row, prediction):
        return {"iou": 0.0 if prediction is None else prediction.value}


def render(predictions, *, is_uncertain=False, is_unchanged=False, **parts):
    parts = {"title": "", "before": "", "truth": "", "answer": fragment.note_of} | parts
    example = Example(**parts, is_uncertain=is_uncertain, is_unchanged=is_unchanged)
    return fragment.render(Scored(), {"action": "go <b>"}, predictions, example=example)


def first_letter(item):
    return item[0]


def verdicts(predicted, wanted, uncertain=()):
    lines = judge(predicted, wanted, Counter(uncertain), place=first_letter)
    return [(line.item, line.verdict, line.is_uncertain) for line in lines]


def test_a_missed_item_follows_the_wrong_one_about_the_same() -> None:
    assert verdicts(["a1", "b9", "c3"], ["a2", "d4", "c3", "a5"], ["a5", "c3"]) == [
        ("a1", "wrong", False),
        ("a2", "missed", False),
        ("b9", "wrong", False),
        ("c3", "right", True),
        ("d4", "missed", False),
        ("a5", "missed", True),
    ]


def test_a_repeated_item_is_right_once_and_missed_as_often_as_it_is_true() -> None:
    assert [verdict for _, verdict, _ in verdicts(["a1", "a1"], ["a1"])] == ["right", "wrong"]
    assert [verdict for _, verdict, _ in verdicts(["a1"], ["a1", "a1"])] == ["right", "missed"]


def test_judging_takes_time_in_proportion_to_the_items() -> None:
    predicted = [f"a{i}" for i in range(100_000)]
    wanted = [f"a-{i}" for i in range(100_000)]
    lines = judge(predicted, wanted, Counter(), place=first_letter)
    assert [line.verdict for line in lines[:4]] == ["wrong", "missed", "wrong", "missed"]
    assert len(lines) == 200_000


def test_a_true_item_is_uncertain_as_often_as_it_is_listed() -> None:
    lines = fragment.true_lines(["a", "a", "b"], Counter(["a"]))
    assert [line.is_uncertain for line in lines] == [True, False, False]


@pytest.mark.parametrize("missing", [None, float("nan"), [], np.array([], dtype=object)])
def test_a_row_may_lack_uncertain_items(missing) -> None:
    assert not fragment.uncertain_items({"open_items": missing}, "open_items")
    assert not fragment.uncertain_items({}, "open_items")


def test_uncertain_items_read_from_parquet_are_arrays() -> None:
    row = {"open_items": np.array(["a", "b", "a"], dtype=object)}
    assert fragment.uncertain_items(row, "open_items") == {"a": 2, "b": 1}


def test_each_verdict_has_a_sign_and_a_word_and_an_uncertain_item_its_badge() -> None:
    lines = [Line("a", "right", is_uncertain=True), Line("b", "wrong"), Line("c", "missed")]
    html = fragment.section("new", "New", lines, WRITER)
    for word, sign in (("right", "&#10003;"), ("wrong", "&#10007;"), ("missed", "&#9675;")):
        assert f'<li class="{word}"><span class="mark" aria-hidden="true">{sign}' in html
        assert f'<span class="sr">{word}: </span>' in html
    assert html.count('<span class="badge" title="Left open">open</span>') == 1
    assert fragment.section("new", "New", [], WRITER) == ""


def test_a_long_section_is_cut_and_says_so() -> None:
    lines = [Line(str(i), "wrong") for i in range(fragment.MAX_LINES + 1_234)]
    html = fragment.section("new", "New", lines, WRITER)
    assert html.count("<li") == fragment.MAX_LINES and "and 1,234 more lines" in html


@pytest.mark.parametrize(
    ("sft", "rlvr", "flags", "tags"),
    [
        (0.2, 0.3, {}, "rlvr-better"),
        (0.3, 0.2, {"is_uncertain": True}, "sft-better open"),
        (0.3, 0.3, {"is_uncertain": True, "is_unchanged": True}, "open unchanged"),
        (0.3, 0.3 + 1e-12, {}, ""),
    ],
)
def test_tags_tell_who_is_better_and_what_kind_of_row_it_is(sft, rlvr, flags, tags) -> None:
    html = render({"sft": Guess(sft), "rlvr": Guess(rlvr)}, **flags)
    assert html.startswith(f'<details class="example" data-tags="{tags}"><summary>')


def test_one_model_alone_is_better_than_none() -> None:
    assert 'data-tags=""' in render({"rlvr": Guess(1.0)})


def test_scores_are_the_primary_metric_of_the_domain() -> None:
    html = render({"copy": Guess(0.25), "sft": None, "rlvr": Guess(0.5)})
    chips = re.findall(r'class="chip model-(\w+)">(\w+) <b>([\d.]+)</b>', html)
    assert chips == [("copy", "COPY", "0.25"), ("sft", "SFT", "0.00"), ("rlvr", "RLVR", "0.50")]
    assert 'RLVR predicted <span class="score">IOU 0.50</span>' in html
    assert "COPY predicted" not in html


def test_an_answer_without_items_is_told_in_words() -> None:
    html = render({"sft": None, "rlvr": Guess(is_empty=True)})
    assert html.count("Unreadable answer") == html.count("Nothing changes.") == 1
    assert "Nothing changed." in html
    assert fragment.note_of(Guess()) == ""


def test_the_fragment_is_well_formed_and_escapes_action_and_names_of_models() -> None:
    html = render({"a <i>": Guess(), "rlvr": Guess()}, truth="<p>gone</p>")
    assert ET.fromstring(re.sub(r"&(minus|#\d+);", "x", html)).tag == "details"
    assert "<code>go &lt;b&gt;</code>" in html and "A &lt;I&gt; predicted" in html
    assert 'class="card model-a-i"' in html and "Nothing changed" not in html


def test_text_is_bounded_escaped_and_printable() -> None:
    assert fragment.text("y" * 300) == "y" * fragment.MAX_LINE_CHARS + " ..."
    assert fragment.text("abcdef", limit=3) == "abc ..."
    assert fragment.text("<a b=\"c\" d='e'>&") == "&lt;a b=&quot;c&quot; d=&#x27;e&#x27;&gt;&amp;"
    shown = fragment.text("\x00\x1b\x7f\u202e\ud800 \t\n")
    assert shown == "\N{REPLACEMENT CHARACTER}" * 5 + " \t\n"


def test_context_leaves_empty_values_out() -> None:
    assert fragment.context([("at", ""), ("to", "a<b")]) == (
        '<p class="context"><span><i>to</i> a&lt;b</span></p>'
    )
    assert fragment.context([("at", "")]) == ""


def test_tree_lines_are_indented_within_reason_and_the_target_is_spoken() -> None:
    assert "--depth:3" in fragment.tree_line("x", depth=3, is_target=False)
    deep = fragment.tree_line("x", depth=5_000, is_target=True)
    assert f"--depth:{fragment.MAX_DEPTH}" in deep
    assert 'class="target"' in deep and "(acted on)" in deep
    assert "and 2 more lines" in fragment.tree(["x"], total=fragment.MAX_LINES + 2)
