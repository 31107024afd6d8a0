"""The compact layout: short, canonical, and without loss."""

import json

import pytest
from tokenizers import Regex, pre_tokenizers

from tests.domains.text_game_case import ROWS
from worldtune.domains.text_game import compact
from worldtune.domains.text_game.answer import read_changes
from worldtune.domains.text_game.state import diff, states_of


def test_a_prompt_states_game_action_objects_score_and_base():
    said = json.loads(compact.prompt(ROWS[2], "full"))
    assert list(said) == ["game", "action", "objects", "score", "uuid_base", "predict"]
    assert said["action"] == said["predict"] == "heat pot 2"
    assert said["objects"][:3] == [
        [1, "room", "World", {}, [0, 2, 4]],
        [0, "agent", "Agent", {}, []],
        [2, "pot", "Pot", {"on": False, "temp": 20}, [3]],
    ]
    assert said["objects"][5][1] == '==Bob\'s "box", {5}'


def test_other_modes_say_so():
    assert json.loads(compact.prompt(ROWS[2], "tick"))["mode"] == "tick"
    said = json.loads(compact.prompt(ROWS[5], "score"))
    assert len(said["before"]) == 6 and said["objects"][4][3] == {"fresh": False}


@pytest.mark.parametrize("row", ROWS)
def test_difference_and_state_lead_to_the_same_changes(row):
    before, after = states_of(row, "full")
    true = diff(before, after)
    assert read_changes(compact.difference(true, after), before).items == true.items
    assert read_changes(compact.whole_state(after), before).items == true.items


def test_a_difference_has_one_entry_per_item():
    before, after = states_of(ROWS[-1], "full")
    written = compact.difference(diff(before, after), after)
    assert json.loads(written) == {
        "modified": [
            [2, "contains", [3, 6]],
            [3, "wet", None],
            [4, "name", "chick"],
            [4, "type", "Chick"],
            [6, "steam", "Steam", {"temp": 100}, []],
        ],
        "removed": [],
        "score": {},
    }


def test_signs_and_a_quoted_word_are_one_token_and_numbers_stand_alone():
    split = pre_tokenizers.Split(Regex(compact.TOKEN_PATTERN), behavior="isolated")
    text = '{"modified":[[2,"temp",-30],[12,"contains",[3,6]]],"removed":[]}'
    assert [piece for piece, _ in split.pre_tokenize_str(text)] == [
        '{"modified":',
        "[[",
        "2",
        ',"temp",',
        "-30",
        "],[",
        "12",
        ',"contains",',
        "[",
        "3",
        ",",
        "6",
        ']]],"removed":',
        "[]}",
    ]
