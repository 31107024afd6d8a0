"""One example as HTML: verdicts line by line, and hostile pages and predictions."""

import re
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from worldtune.config import WebTaskConfig
from worldtune.domains.fragment import MAX_LINES
from worldtune.domains.web import view
from worldtune.domains.web.domain import build
from worldtune.domains.web.tree import Changes

DOMAIN = build(WebTaskConfig())
ROW = {
    "site": "inbox",
    "task": "mail",
    "url": "http://127.0.0.1:8000/inbox",
    "objective": "Read what is new",
    "previous_action": "None",
    "observation": "[1] RootWebArea 'Inbox'\n\t[2] list ''\n\t\t[3] button 'Refresh'\n"
    "\t[30] StaticText '3 mails'",
    "action": "click [3]",
    "new_items": ["[31] link 'From Pear'"],
    "deleted_items": [],
    "updated_items": ["[30] StaticText '4 mails'", "[3] button 'Refresh' disabled: True"],
    "hidden_items": ["[31] link 'From Pear'"],
}
TRUE = Changes(
    new=("[31] link 'From Pear'",),
    updated=("[30] StaticText '4 mails'", "[3] button 'Refresh' disabled: True"),
)


def render_example(row, predictions):
    return view.render_example(DOMAIN, row, predictions)


def lines_of(html):
    """(verdict, text, is hidden) of every line of the predictions and the truth."""
    items = re.findall(r'<li class="(right|wrong|missed|true)">(.*?)</li>', html)
    return [
        (
            verdict,
            re.sub(r"<[^>]*>", "", re.search(r"<code>(.*?)</code>", body)[1]).replace(
                "&#x27;", "'"
            ),
            'class="badge"' in body,
        )
        for verdict, body in items
    ]


def test_example_is_well_formed_and_scores_each_model():
    html = render_example(ROW, {"copy": Changes(), "sft": TRUE, "rlvr": None})
    root = ET.fromstring(re.sub(r"&(minus|#\d+);", "x", html))
    assert root.tag == "details"
    chips = [
        "".join(c.itertext())
        for c in root.findall(".//span[@class]")
        if "chip " in c.get("class", "")
    ]
    assert chips == ["COPY 0.00", "SFT 1.00", "RLVR 0.00"]
    assert "Unreadable answer" in html and "COPY predicted" not in html


def test_each_line_gets_its_verdict_and_a_missed_line_follows_the_wrong_one():
    guess = Changes(
        new=("[31] link 'From Lamp'", "[32] link 'From Sofa'"),
        updated=("[3] button 'Refresh' disabled: True",),
    )
    lines = lines_of(render_example(ROW, {"sft": guess}))
    assert lines == [
        ("true", "[31] link 'From Pear'", True),
        ("true", "[30] StaticText '4 mails'", False),
        ("true", "[3] button 'Refresh' disabled: True", False),
        ("wrong", "[31] link 'From Lamp'", False),
        ("missed", "[31] link 'From Pear'", True),
        ("wrong", "[32] link 'From Sofa'", False),
        ("right", "[3] button 'Refresh' disabled: True", False),
        ("missed", "[30] StaticText '4 mails'", False),
    ]


def test_a_repeated_line_is_right_once():
    guess = Changes(updated=("[30] StaticText '4 mails'",) * 2)
    verdicts = [verdict for verdict, _, _ in lines_of(render_example(ROW, {"sft": guess}))]
    assert verdicts.count("right") == 1 and verdicts.count("wrong") == 1


def test_verdicts_are_told_by_sign_and_word_not_by_colour_alone():
    html = render_example(
        ROW, {"sft": Changes(new=("[31] link 'From Lamp'",), updated=TRUE.updated)}
    )
    for word, sign in (("right", "&#10003;"), ("wrong", "&#10007;"), ("missed", "&#9675;")):
        assert sign in html and f'<span class="sr">{word}: </span>' in html


def test_the_element_acted_on_is_marked_and_named_and_no_other():
    html = render_example(ROW, {"sft": TRUE})
    marked = re.findall(r'<li class="target".*?</li>', html)
    assert len(marked) == 1 and "Refresh" in marked[0] and "acted on" in marked[0]
    assert "<code>click [3]</code><code>button &#x27;Refresh&#x27;</code>" in html
    assert 'class="target"' not in render_example(ROW | {"action": "go_back"}, {"sft": TRUE})


def test_indentation_of_the_page_is_kept():
    html = render_example(ROW, {"sft": TRUE})
    assert re.findall(r"--depth:(\d+)", html) == ["0", "1", "2", "1"]


@pytest.mark.parametrize(
    ("sft", "rlvr", "tags"),
    [
        (Changes(), TRUE, "rlvr-better hidden"),
        (TRUE, None, "sft-better hidden"),
        (TRUE, TRUE, "hidden"),
    ],
)
def test_tags_tell_which_model_is_better(sft, rlvr, tags):
    assert f'data-tags="{tags}"' in render_example(ROW, {"sft": sft, "rlvr": rlvr})


def test_a_page_that_does_not_change_says_so():
    row = ROW | {"new_items": [], "updated_items": [], "hidden_items": []}
    html = render_example(row, {"sft": Changes()})
    assert "Nothing changed." in html and "Nothing changes." in html
    assert 'data-tags="unchanged"' in html


@pytest.mark.parametrize("hidden", [None, float("nan"), [], np.array([], dtype=object)])
def test_rows_without_hidden_items_are_shown(hidden):
    assert 'class="badge"' not in render_example(ROW | {"hidden_items": hidden}, {"sft": TRUE})


def test_lists_read_from_parquet_are_arrays():
    columns = ("new_items", "deleted_items", "updated_items", "hidden_items")
    row = ROW | {key: np.array(ROW[key], dtype=object) for key in columns}
    assert render_example(row, {"sft": TRUE}) == render_example(ROW, {"sft": TRUE})


def test_nothing_from_data_or_model_becomes_markup():
    evil = "<script>alert('x')</script><img src=x onerror=alert(1)>\" onclick=\"alert(1)"
    row = ROW | {key: evil for key in ("site", "task", "url", "objective", "previous_action")}
    row |= {"observation": f"[1] {evil}\n\t[3] button '{evil}'", "action": f"click [3] {evil}"}
    row |= {"new_items": [f"[9] {evil}"], "hidden_items": [f"[9] {evil}"]}
    html = render_example(row, {evil: Changes(new=(evil, f"[9] {evil}")), "sft": TRUE})
    assert "<script" not in html and "<img" not in html
    assert not re.search(r"<[^>]*\son\w+=", html)
    ET.fromstring(re.sub(r"&(minus|#\d+);", "x", html))


def test_control_characters_and_overlong_text_are_tamed():
    line = "[9] link '\x00\x1b\u202e" + "y" * 5000 + "'"
    html = render_example(ROW, {"sft": Changes(new=(line,))})
    assert not re.search(r"[\x00\x1b\u202e]", html)
    assert "y" * 300 not in html
    html.encode("utf-8")


def test_lone_surrogates_can_be_written():
    render_example(ROW | {"objective": "bad \ud800"}, {"sft": TRUE}).encode("utf-8")


def test_a_hundred_thousand_predicted_lines_are_quick_and_cut():
    guess = Changes(new=tuple(f"[{i}] link 'From Pear'" for i in range(100_000)))
    start = time.process_time()
    html = render_example(ROW, {"sft": guess})
    assert time.process_time() - start < 3
    assert html.count("<li") < 3 * MAX_LINES and "more lines" in html
