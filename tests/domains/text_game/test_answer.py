"""What an answer states, in every notation."""

import json

import pytest

from tests.domains.text_game_case import BEFORE, NEW, START, changed
from worldtune.domains.text_game.answer import MAX_ENTRIES, item_spans, read_changes
from worldtune.domains.text_game.state import ABSENT, Changes, make_state

STATE = make_state(BEFORE, START)


def read(modified=(), removed=(), score=None):
    text = json.dumps({"modified": modified, "removed": removed, "score": score or {}})
    return read_changes(text, STATE)


def test_an_empty_difference_changes_nothing():
    assert read() == Changes()


def test_single_properties_are_read():
    assert read([[2, "temp", 30], [4, "stage"]]) == Changes(
        modified=((2, "temp", 30), (4, "stage", ABSENT))
    )


def test_content_by_uuid_gets_the_names_of_the_state_and_of_the_answer():
    changes = read([[2, "contains", [3, 6, 9]], [6, "steam", "Steam", {"temp": 100}, []]])
    assert changes.modified == (
        (2, "contains", ["water (ID: 3)", "steam (ID: 6)", "nothing (ID: 9)"]),
    )
    assert changes.added == (NEW,)


def test_content_follows_a_change_of_name():
    changes = read([[4, "name", "chick"], [0, "contains", [4]]])
    assert changes.modified == ((4, "name", "chick (ID: 4)"), (0, "contains", ["chick (ID: 4)"]))


def test_whole_objects_are_read_as_the_paper_writes_them():
    hot = changed(STATE.objects[2], temp=30)
    assert read([hot, NEW]).added == (hot, NEW)


def test_an_object_without_name_and_type_keeps_its_name():
    entry = {"uuid": 2, "properties": {"temp": 1}, "contains": []}
    assert read([entry]).added[0]["name"] == "pot (ID: 2)"


def test_removed_objects_and_the_score_are_read():
    assert read([], [3], {"score": 1}) == Changes(removed=(3,), score=(("score", 1),))


@pytest.mark.parametrize("form", ["objects", "game_state"])
def test_a_whole_state_is_compared_with_the_state_before(form):
    hot = changed(STATE.objects[2], temp=30)
    objects = [hot if thing["uuid"] == 2 else thing for thing in BEFORE[:-1]]
    score = {**START, "score": 1}
    value = {"game_state": [*objects, score]}
    if form == "objects":
        value = {"objects": objects, "score": score}
    assert read_changes(json.dumps(value), STATE).items == {
        "2.temp = 30",
        "removed 5",
        "score.score = 1",
    }


@pytest.mark.parametrize(
    "entry",
    [
        1,
        "pot",
        [],
        [2],
        ["2", "temp", 3],
        [True, "temp", 3],
        [2, 3, 4],
        [2, "contains", 3],
        [2, "contains", [{"x": 1}]],
        [2, "contains"],
        [6, "steam", "Steam", {}],
        [6, "steam", "Steam", [], []],
        [6, None, "Steam", {}, []],
        {"name": "pot"},
        {"uuid": 2, "contains": []},
        {"uuid": 2, "properties": {}},
        {"uuid": "2", "properties": {}, "contains": []},
    ],
)
def test_one_malformed_entry_makes_the_answer_unreadable(entry):
    assert read([[2, "temp", 30], entry]) is None


def test_too_many_entries_are_unreadable():
    assert read([], [3] * MAX_ENTRIES) is not None
    assert read([], [3] * (MAX_ENTRIES + 1)) is None


def test_spans_are_those_of_the_entries():
    text = 'So: {"modified": [[2,"temp",30], {"uuid":4,"a":[1,{}]}],"removed":[3, 5],'
    text += '"score":{"score":1,"gameOver": [true]}}'
    assert [text[start:end] for start, end in item_spans(text)] == [
        '[2,"temp",30]',
        '{"uuid":4,"a":[1,{}]}',
        "3",
        "5",
        '"score":1',
        '"gameOver": [true]',
    ]


def test_what_is_no_difference_has_no_spans():
    assert item_spans("hello") == item_spans('{"objects": [1], "score": {}}') == []
