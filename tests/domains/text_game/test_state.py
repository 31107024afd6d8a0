"""What two states differ in, and what changes make of a state."""

import pytest

from tests.domains.text_game_case import AGENT, BEFORE, EGG, NEW, ROOM, ROWS, START, changed, thing
from worldtune.domains.text_game.state import (
    ABSENT,
    Changes,
    apply,
    canonical_json,
    diff,
    effective,
    make_state,
    normal,
    states_of,
)

STATE = make_state(BEFORE, START)
POT = STATE.objects[2]


def test_equal_values_have_one_form():
    assert normal({"b": [1.0, 2.5], "a": None}) == normal({"a": None, "b": [1, 2.5]})
    assert len({normal(value) for value in (True, 1, "1", "True", [1], None)}) == 6


def test_a_difference_names_properties_objects_and_score():
    hot = changed(POT, ["egg (ID: 4)"], temp=30)
    after = make_state([ROOM, AGENT, hot, EGG, BEFORE[5], NEW], {**START, "score": 1})
    changes = diff(STATE, after)
    assert changes.modified == ((2, "temp", 30), (2, "contains", ["egg (ID: 4)"]))
    assert [added["uuid"] for added in changes.added] == [6]
    assert changes.removed == (3,)
    assert changes.score == (("score", 1),)


def test_a_property_may_appear_and_go_away():
    after = make_state([{**POT, "properties": {"temp": 20, "size": 1}}], START)
    changes = diff(make_state([POT], START), after)
    assert changes.modified == ((2, "size", 1), (2, "on", ABSENT))
    assert apply(make_state([POT], START), changes).properties == after.properties


def test_order_and_names_of_the_content_do_not_matter():
    turned = changed(ROOM, ["egg (ID: 4)", "agent (ID: 0)", "kettle (ID: 2)"])
    assert diff(STATE, make_state([turned, *BEFORE[1:]], START)).is_empty


def test_a_flag_and_a_number_differ():
    one = make_state([changed(EGG, fresh=1)], START)
    assert diff(make_state([EGG], START), one).modified == ((4, "fresh", 1),)


def test_whole_numbers_are_equal_as_integers_and_as_floats():
    assert diff(STATE, make_state([changed(t) for t in BEFORE], {**START, "score": 0.0})).is_empty


@pytest.mark.parametrize("row", ROWS)
def test_a_difference_leads_from_the_state_to_the_next(row):
    before, after = states_of(row, "full")
    again = apply(before, diff(before, after))
    assert diff(again, after).is_empty
    assert again.objects.keys() == after.objects.keys()


def test_statements_of_what_is_so_are_no_changes():
    stated = Changes(
        modified=((2, "temp", 20), (2, "on", False), (4, "gone", ABSENT)),
        added=(POT,),
        score=(("score", 0.0),),
    )
    assert effective(stated, STATE).is_empty


def test_the_last_of_several_statements_counts():
    stated = Changes(modified=((2, "temp", 99), (2, "temp", 30), (2, "on", True), (2, "on", False)))
    assert effective(stated, STATE).modified == ((2, "temp", 30),)


def test_an_added_object_with_a_known_uuid_replaces_that_object():
    stated = Changes(added=(thing(2, "pot", "Pot", ["water (ID: 3)"], on=True),))
    assert set(effective(stated, STATE).modified) == {(2, "on", True), (2, "temp", ABSENT)}


def test_inventions_stay_items_that_no_true_difference_has():
    stated = Changes(modified=((77, "temp", 1),), removed=(88,), score=(("lives", 3),))
    assert len(effective(stated, STATE).items) == 3


def test_what_cannot_be_applied_is_left_out():
    stated = Changes(modified=((77, "temp", 1),), removed=(88,))
    assert apply(STATE, stated).properties == STATE.properties


def test_modes_choose_the_states():
    between = [ROOM, AGENT, changed(POT, on=True), *BEFORE[3:]]
    after = [ROOM, AGENT, changed(POT, on=True, temp=30), *BEFORE[3:]]
    won = {"score": 1, "gameOver": True, "gameWon": True}
    row = {
        "state": canonical_json(BEFORE),
        "action_state": canonical_json(between),
        "next_state": canonical_json(after),
        "score": canonical_json(START),
        "next_score": canonical_json(won),
    }
    items = {
        mode: diff(*states_of(row, mode)).items for mode in ("full", "action", "tick", "score")
    }
    score = {"score.score = 1", "score.gameOver = true", "score.gameWon = true"}
    assert items == {
        "full": {"2.on = true", "2.temp = 30", *score},
        "action": {"2.on = true"},
        "tick": {"2.temp = 30"},
        "score": score,
    }
