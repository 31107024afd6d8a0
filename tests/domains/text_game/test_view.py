"""One step of a game as HTML: verdicts property by property, and hostile states and predictions."""

import json
import re
import time
import xml.etree.ElementTree as ET
from html import unescape

import numpy as np
import pytest

from worldtune.config import TextGameTaskConfig
from worldtune.domains.fragment import MAX_LINES
from worldtune.domains.text_game.domain import build
from worldtune.domains.text_game.state import ABSENT, Changes, canonical_json
from worldtune.domains.text_game.view import render_example


def thing(uuid, name, kind, contains=(), **properties):
    return {
        "name": name,
        "uuid": uuid,
        "type": kind,
        "properties": properties,
        "contains": [*contains],
    }


KETTLE, CUP, ROOM = "kettle (ID: 4)", "cup (ID: 5)", "kitchen (ID: 1)"
WATER = thing(6, "water (ID: 6)", "Water", temp=20, state="liquid")
BEFORE = [
    thing(1, ROOM, "World", [KETTLE, CUP]),
    thing(4, KETTLE, "Kettle", ["water (ID: 6)"], temp=40, on=False, plug={"a": 1, "b": [2, None]}),
    WATER,
    thing(5, CUP, "Cup", dirty=None),
]
STEAM = thing(9, "steam (ID: 9)", "Steam", temp=100)
AFTER = [
    thing(1, ROOM, "World", [CUP, KETTLE]),
    thing(
        4, KETTLE, "Kettle", ["steam (ID: 9)"], temp=60, on=True, plug={"a": 1, "b": [2, "cable"]}
    ),
    thing(5, CUP, "Cup"),
    STEAM,
]
RESET = {"score": 0, "gameOver": False, "gameWon": False}
TRUE = Changes(
    modified=(
        (4, "temp", 60),
        (4, "on", True),
        (4, "plug", {"a": 1, "b": [2, "cable"]}),
        (4, "contains", ["steam (ID: 9)"]),
        (5, "dirty", ABSENT),
    ),
    added=(STEAM,),
    removed=(6,),
    score=(("score", 1),),
)
DOMAIN = build(TextGameTaskConfig())


def make_row(before=BEFORE, after=AFTER, **columns):
    return {
        "source": "own",
        "game": "tea",
        "task_desc": "Boil the water.",
        "state": canonical_json(before),
        "action_state": canonical_json(before),
        "next_state": canonical_json(after),
        "score": canonical_json(RESET),
        "next_score": canonical_json(RESET | {"score": 1}),
        "action": f"put {CUP} in {KETTLE}",
        "changed_by": "both",
        "score_changed": True,
        "determined": True,
        "undetermined_items": [],
    } | columns


ROW = make_row()


def render(*predictions, row=ROW, domain=DOMAIN):
    return render_example(domain, row, dict(zip(("sft", "rlvr"), predictions, strict=False)))


def words(html):
    html = re.sub(r'<span class="(?:sr|mark)".*?</span>', "", html)
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


def groups_of(html):
    """[heading, [(verdict, words), ...]] of every object in a card."""
    found = re.findall(r"<h5>(.*?)</h5><ul>(.*?)</ul>", html)
    line = re.compile(r'<li class="(\w+)">(.*?)</li>')
    return [
        [words(head), [(verdict, words(body)) for verdict, body in line.findall(items)]]
        for head, items in found
    ]


def card(html, name):
    """The card of a model, or of the truth."""
    return next(part for part in html.split("<section ")[1:] if part.startswith(f'class="{name}'))


def answer(prediction, row=ROW):
    return groups_of(card(render(prediction, row=row), "card model-sft"))


def tree_of(html):
    lines = re.findall(r"<li( class=\"target\")? style=\"--depth:(\d+)\">(.*?)</li>", html)
    return [(int(depth), words(body), bool(mark)) for mark, depth, body in lines]


def well_formed(html):
    return ET.fromstring(re.sub(r"&(minus|rarr|#\d+);", "x", html))


def test_the_truth_is_told_object_by_object_and_property_by_property() -> None:
    assert groups_of(card(render(), "card truth")) == [
        [
            f"~ {KETTLE}",
            [
                ("true", "temp 40 \N{RIGHTWARDS ARROW} 60"),
                ("true", "on false \N{RIGHTWARDS ARROW} true"),
                ("true", 'plug b [2, null] \N{RIGHTWARDS ARROW} [2, "cable"]'),
                ("true", "contains \N{MINUS SIGN} water (ID: 6), + steam (ID: 9)"),
            ],
        ],
        [f"~ {CUP}", [("true", "dirty null \N{RIGHTWARDS ARROW} no value")]],
        ["+ steam (ID: 9)", [("true", 'added type "Steam", temp 100')]],
        ["\N{MINUS SIGN} water (ID: 6)", [("true", "removed")]],
        ["~ Score", [("true", "score 0 \N{RIGHTWARDS ARROW} 1")]],
    ]


def test_a_perfect_prediction_is_right_in_every_line() -> None:
    html = render(TRUE)
    verdicts = [verdict for _, lines in answer(TRUE) for verdict, _ in lines]
    assert verdicts == ["right"] * 8 and "SFT <b>1.00</b>" in html
    assert well_formed(html).tag == "details"


def test_a_missed_property_stands_beside_the_wrong_one() -> None:
    guess = Changes(modified=((4, "temp", 55), (5, "dirty", ABSENT), (4, "hot", 1)))
    kettle, cup, *missed = answer(guess)
    assert kettle[1] == [
        ("wrong", "temp 40 \N{RIGHTWARDS ARROW} 55"),
        ("missed", "temp 40 \N{RIGHTWARDS ARROW} 60"),
        ("wrong", "hot no value \N{RIGHTWARDS ARROW} 1"),
        ("missed", "on false \N{RIGHTWARDS ARROW} true"),
        ("missed", 'plug b [2, null] \N{RIGHTWARDS ARROW} [2, "cable"]'),
        ("missed", "contains \N{MINUS SIGN} water (ID: 6), + steam (ID: 9)"),
    ]
    assert cup[1] == [("right", "dirty null \N{RIGHTWARDS ARROW} no value")]
    assert [lines for _, lines in missed] == [
        [("missed", 'added type "Steam", temp 100')],
        [("missed", "removed")],
        [("missed", "score 0 \N{RIGHTWARDS ARROW} 1")],
    ]


def test_a_wrong_addition_shows_what_the_true_one_has_otherwise() -> None:
    wrong = thing(9, "steam (ID: 9)", "Steam", temp=90, wet=True)
    html = render(Changes(added=(wrong,)))
    assert re.findall(r'<span class="differs">(.*?)</span>', html) == [
        "<i>temp</i> 90",
        "<i>wet</i> true",
        "<i>temp</i> 100",
    ]
    renamed = thing(9, "mist (ID: 9)", "Steam", temp=100)
    assert '<span class="differs"><i>name</i> &quot;mist' in render(Changes(added=(renamed,)))


def test_stating_what_is_so_already_is_no_item() -> None:
    guess = Changes(modified=((4, "temp", 40.0), (1, "contains", [CUP, KETTLE])))
    html = card(render(guess), "card model-sft")
    assert "Nothing changes." in html and 'class="wrong"' not in html


def test_invented_objects_come_after_the_true_changes_and_are_told_as_such() -> None:
    guess = Changes(modified=((77, "temp", 5), *TRUE.modified), removed=(6, 88))
    headings = [heading for heading, _ in answer(guess)]
    assert headings[0] == f"~ {KETTLE}"
    assert headings[-2:] == [
        "~ object 77 not in this state",
        "\N{MINUS SIGN} object 88 not in this state",
    ]


def test_an_unreadable_answer_misses_everything() -> None:
    html = render(None)
    assert "Unreadable answer" in html and "SFT <b>0.00</b>" in html
    assert {verdict for _, lines in answer(None) for verdict, _ in lines} == {"missed"}


def test_texts_and_numbers_look_different() -> None:
    (_, lines), *_ = answer(Changes(modified=((4, "temp", "60"),)))
    assert lines[0] == ("wrong", 'temp 40 \N{RIGHTWARDS ARROW} "60"')


def test_content_that_is_no_list_of_names_is_shown_as_it_is() -> None:
    (_, lines), *_ = answer(Changes(modified=((4, "contains", 5),)))
    assert lines[0] == ("wrong", 'contains ["water (ID: 6)"] \N{RIGHTWARDS ARROW} 5')


@pytest.mark.parametrize("as_column", [list, lambda items: np.array(items, dtype=object)])
def test_undetermined_items_carry_the_badge_unless_wrong(as_column) -> None:
    items = as_column(["4.temp = 60", "removed 6"])
    row = make_row(determined=False, undetermined_items=items)
    guess = Changes(modified=((4, "temp", 61), (4, "on", True)), removed=(6,))
    html = render(guess, row=row)
    badged = [line for line in re.findall(r"<li class.*?</li>", html) if 'class="badge"' in line]
    assert [re.search(r'class="(\w+)"', line)[1] for line in badged] == [
        "true",
        "true",
        "missed",
        "right",
    ]
    assert "undetermined</span>" in badged[0] and 'data-tags="undetermined"' in html


def test_tags_tell_which_model_is_better() -> None:
    assert 'data-tags="rlvr-better"' in render(Changes(), TRUE)
    assert 'data-tags="sft-better"' in render(TRUE, None)


def test_a_step_that_changes_nothing_says_so() -> None:
    row = make_row(after=BEFORE, next_score=canonical_json(RESET), changed_by="none")
    html = render(Changes(), row=row)
    assert "Nothing changed." in html and "Nothing changes." in html
    assert 'data-tags="unchanged"' in html


def test_the_state_is_a_tree_with_the_objects_of_the_action_marked() -> None:
    assert tree_of(render()) == [
        (0, f"{ROOM} World", False),
        (1, f'{KETTLE} Kettle temp 40, on false, plug {{"a": 1, "b": [2, null]}}', True),
        (2, 'water (ID: 6) Water temp 20, state "liquid"', False),
        (1, f"{CUP} Cup dirty null", True),
    ]


def test_a_name_within_a_longer_name_is_not_marked() -> None:
    objects = [thing(1, "red wire", "Wire"), thing(2, "wire", "Wire"), thing(3, "wires", "Wire")]
    row = make_row(before=objects, after=objects, action="take red wire")
    assert [mark for _, _, mark in tree_of(render(row=row))] == [True, False, False]


def test_mentions_without_an_object_are_shown_and_nothing_hangs() -> None:
    objects = [thing(1, "a", "Box", ["b", "ghost"]), thing(2, "b", "Box", ["a"])]
    row = make_row(before=objects, after=objects)
    assert [(depth, body) for depth, body, _ in tree_of(render(row=row))] == [
        (0, "a Box"),
        (1, "b Box"),
        (2, "a stands elsewhere in this tree"),
        (1, "ghost not in this state"),
    ]


def test_task_and_score_are_named() -> None:
    context = words(re.search(r'<p class="context">.*?</p>', render())[0])
    assert context == "task Boil the water.score 0, gameOver false, gameWon false"
    assert '<span class="where">tea</span>' in render()


@pytest.mark.parametrize(
    ("mode", "title", "first_line", "num_true"),
    [
        ("action", "State before the action", "temp 40", 0),
        ("tick", "State after the action, before", "temp 40", 7),
        ("score", "State after the step", "temp 60", 1),
    ],
)
def test_each_mode_shows_the_state_that_it_starts_from(mode, title, first_line, num_true) -> None:
    html = render(domain=build(TextGameTaskConfig(mode=mode)))
    assert f"<h4>{title}" in html and first_line in tree_of(html)[1 if mode != "score" else 2][1]
    assert html.count('<li class="true">') == num_true


def test_nothing_from_data_or_model_becomes_markup() -> None:
    evil = "<script>alert('x')</script><img src=x onerror=alert(1)>\" onclick=\"alert(1)"
    monster = thing(1, evil, evil, [evil, evil + "2"], **{evil: {evil: [evil]}})
    row = make_row(
        before=[monster, thing(2, evil + "2", evil)],
        after=[monster],
        action=f"take {evil}",
        task_desc=evil,
        game=evil,
        score=json.dumps({evil: evil}),
        next_score=json.dumps({evil: 1}),
    )
    guess = Changes(
        modified=((1, evil, {evil: 5}), (1, "contains", [evil + "3"]), (7, evil, evil)),
        added=(monster | {"uuid": 8},),
        score=((evil, {evil: evil}),),
    )
    html = render(guess, row=row)
    assert "<script" not in html and "<img" not in html
    assert not re.search(r"<[^>]*\son\w+=", html)
    well_formed(html)


def test_control_characters_surrogates_and_overlong_text_are_tamed() -> None:
    text = "\x00\x1b\u202e\ud800" + "y" * 5_000
    guess = Changes(
        modified=((4, text, text), (4, "temp", [text] * 2)),
        added=(thing(30, text, text, [text], **{text: text}),),
    )
    html = render(guess)
    assert not re.search(r"[\x00\x1b\u202e\ud800]", html) and "y" * 300 not in html
    html.encode("utf-8")


def test_thousands_of_predicted_items_and_properties_are_quick_and_cut() -> None:
    guess = Changes(
        modified=tuple((i % 3_000 + 100, f"p{i}", i) for i in range(20_000)),
        added=(thing(10**5, "big", "Big", **{f"p{i}": i for i in range(20_000)}),),
        removed=tuple(range(10**6, 10**6 + 10_000)),
        score=tuple((f"k{i}", i) for i in range(10_000)),
    )
    start = time.process_time()
    html = card(render(guess), "card model-sft")
    assert time.process_time() - start < 3
    assert html.count("<li") == MAX_LINES and "more lines" in html and len(html) < 60_000


def test_an_object_with_thousands_of_properties_is_cut() -> None:
    big = thing(1, "big", "Big", **{f"p{i}": "y" * 1_000 for i in range(5_000)})
    row = make_row(before=[], after=[big])
    html = render(Changes(added=(big,)), row=row)
    assert "and 4,977 more" in words(html) and len(html) < 40_000


def test_a_state_with_thousands_of_objects_is_cut() -> None:
    objects = [thing(i, f"box {i}", "Box", [f"box {i + 1}"]) for i in range(5_000)]
    row = make_row(before=objects, after=objects)
    html = render(row=row)
    assert html.count("<li") < 2 * MAX_LINES and "and 4,941 more lines" in html
