"""The paper's rewards: the edge cases of its code, one by one."""

import json

import pytest

from tests.domains.text_game_case import BEFORE, EGG, NEW, START, changed
from worldtune.domains.text_game.reference_reward import reference_rewards
from worldtune.domains.text_game.state import make_state

STATE = make_state(BEFORE, START)
POT = STATE.objects[2]
HOT = changed(POT, temp=30)
AFTER = make_state([HOT if thing["uuid"] == 2 else thing for thing in BEFORE], START)
FACTS = sum(len(thing["properties"]) + 1 for thing in BEFORE)


def rewards(modified=(), removed=(), after=AFTER, **score):
    value = {"modified": modified, "removed": removed, "score": {}, **score}
    text = f"The final answer is: {json.dumps(value)}"
    found = reference_rewards(text, STATE, after)
    return found.binary, pytest.approx(found.task_specific, abs=1e-12)


def test_a_perfect_answer():
    assert rewards([HOT]) == (1, 1.3)
    assert rewards(after=STATE) == (1, 0.3)


def test_nothing_changes_on_a_changed_row():
    assert rewards() == (0, 0.09 * (FACTS - 1) / FACTS + 0.01)


def test_a_score_left_out_counts_as_wrong():
    text = json.dumps({"modified": [HOT], "removed": []})
    found = reference_rewards(text, STATE, AFTER)
    assert (found.binary, found.task_specific) == (0, pytest.approx(1.09))


def test_an_empty_score_is_that_of_before():
    won = make_state(AFTER.objects.values(), {"score": 1, "gameOver": True, "gameWon": False})
    assert rewards([HOT], after=won) == (0, 0.09 + 0.01 / 3 + 1)


def test_an_additional_key_voids_the_task_specific_reward_only():
    assert rewards([changed(HOT, brand_new=1)]) == (1, 0)


def test_names_and_types_are_not_compared():
    assert rewards([{**HOT, "name": "kettle (ID: 2)", "type": "Kettle"}]) == (1, 1.3)


def test_inventions_cost_nothing_and_additions_are_dropped():
    assert rewards([HOT, NEW]) == (1, 1.3)
    grown = make_state([*AFTER.objects.values(), NEW], START)
    assert rewards([HOT, NEW], after=grown) == (0, 0.09 * FACTS / (FACTS + 1) + 0.01 + 1)


def test_an_object_left_in_place_costs_nothing():
    gone = make_state([thing for thing in AFTER.objects.values() if thing["uuid"] != 4], START)
    assert rewards([HOT], after=gone) == (1, 1.3)


def test_a_changed_object_removed_leaves_the_average():
    item = (FACTS - 3) / (FACTS - 3 + 1)
    assert rewards([], [2]) == (0, 0.09 * item + 0.01)


def test_an_object_without_properties_counts_once():
    bare = {key: value for key, value in HOT.items() if key != "properties"}
    item = (FACTS - 2) / (FACTS - 2 + 1)
    assert rewards([bare]) == (0, 0.09 * item + 0.01)


def test_true_equals_one():
    eaten = changed(EGG, fresh=1)
    assert rewards([HOT, eaten]) == (1, 1.3)


def test_uuids_as_text_match_nothing():
    assert rewards([{**HOT, "uuid": "2"}]) == rewards()


@pytest.mark.parametrize(
    "text",
    ["", "hello", "[]", '{"modified": []}', '{"removed": []}', "{" * 100_000, "x" * 100_000],
)
def test_an_answer_without_a_difference_is_worth_nothing(text):
    found = reference_rewards(text, STATE, AFTER)
    assert (found.binary, found.task_specific) == (0, 0)


def test_words_inside_texts_are_rewritten():
    told = make_state([changed(BEFORE[5], text="None of it")], START)
    one = make_state([BEFORE[5]], START)
    text = json.dumps({"modified": list(told.objects.values()), "removed": [], "score": {}})
    assert reference_rewards(text, one, told).binary == 0
