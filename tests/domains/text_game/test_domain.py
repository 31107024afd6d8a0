"""The domain as a whole: layouts, modes, subsets, and what cannot be asked."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.domains.text_game_case import ROWS
from worldtune.config import TextGameTaskConfig, WebTaskConfig
from worldtune.domains import get_domain
from worldtune.domains.text_game import reference
from worldtune.domains.text_game.domain import MissingStateError, build
from worldtune.domains.text_game.examples import OWN_GAMES, ExamplesError, example_for, examples

CLONE = Path(__file__).parents[4] / "shared" / "data" / "gpt_simulator"


def domain(**task):
    return get_domain("text_game", TextGameTaskConfig(**task))


def test_the_reference_prompt_holds_rules_two_examples_and_the_question():
    (message,) = domain(layout="reference").prompt(ROWS[2])
    text = message.content
    parts = [
        "Here is an example game,",
        "Example 1, a change by the action:",
        "The expected answer:",
        "Example 2, a change by time:",
        "The expected answer:",
        "Now the game to simulate.",
        "Cook the egg (ID: 4).",
        "Object: Pot",
        "heat: heats",
        "One point.",
        "The current game UUID base is 6",
        "The action to take is: heat pot (ID: 2)",
        "Begin the answer with: The final answer is:",
    ]
    places = []
    for part in parts:
        places.append(text.index(part, places[-1] + 1 if places else 0))
    assert message.role == "user" and text.count("Here is an example game,") == 1


def test_a_game_is_never_its_own_example():
    assert [example.game for example in examples("")] == list(OWN_GAMES)
    assert example_for(OWN_GAMES[0], "").game == OWN_GAMES[1]
    assert example_for("stove", "").game == OWN_GAMES[0]


def test_the_answer_of_the_reference_is_whole_objects_and_an_empty_score():
    text = domain(layout="reference").completion(ROWS[2])
    marker, _, answer = text.partition("\n")
    assert marker == "The final answer is:"
    value = json.loads(answer)
    assert [thing["uuid"] for thing in value["modified"]] == [2, 3]
    assert (value["removed"], value["score"]) == ([], {})


def test_an_object_whose_content_only_changes_its_order_is_not_stated():
    things = json.loads(ROWS[0]["state"])
    things[0]["contains"].reverse()
    text = domain(layout="reference").completion({**ROWS[0], "next_state": json.dumps(things)})
    assert text.endswith('{"modified": [], "removed": [], "score": {}}')


def test_a_prompt_without_examples_promises_none():
    (message,) = reference.prompt(ROWS[2], mode="full", answer="difference", example=None)
    assert "example" not in message.content


def test_reasoning_stands_before_the_answer_where_it_is_asked_for():
    with_reasoning = domain(reasoning=True).completion(ROWS[2])
    assert with_reasoning == f"{ROWS[2]['reasoning']}\n{domain().completion(ROWS[2])}"
    assert domain(reasoning=True).completion({**ROWS[2], "reasoning": ""}) == domain().completion(
        ROWS[2]
    )


def test_subsets_name_what_changed_a_row():
    row = {**ROWS[5], "changed_by": "both", "determined": False}
    assert domain().subsets(row) == {"changed", "undetermined", "by_action", "by_tick", "by_score"}
    assert domain().subsets(ROWS[0]) == {"unchanged", "determined"}
    assert domain(mode="tick").subsets(ROWS[5]) == {"unchanged", "determined"}


def test_a_row_without_the_state_in_between_cannot_be_asked_for_a_part_of_the_step():
    row = {**ROWS[2], "action_state": "", "source": "thuml_cot"}
    assert domain().prompt(row) and domain(mode="score").prompt(row)
    with pytest.raises(MissingStateError, match=r"text_game\.task\.mode is 'tick'.*'thuml_cot'"):
        domain(mode="tick").prompt(row)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"reward": "reference_binary"}, "set task.layout to 'reference'"),
        (
            {"reward": "reference_binary", "layout": "reference", "answer": "state"},
            "task.answer to 'difference'",
        ),
        ({"examples": "somewhere"}, "has no effect on task.layout 'compact'"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(task, message):
    with pytest.raises(ValidationError, match=message):
        TextGameTaskConfig(**task)


def test_another_domains_task_is_refused():
    with pytest.raises(TypeError, match="must be a TextGameTaskConfig, found WebTaskConfig"):
        build(WebTaskConfig())


def test_the_examples_of_a_clone_are_shown():
    if not CLONE.is_dir():
        pytest.skip(f"NOT CHECKED on a clone of GPT-simulator: none at {CLONE}")
    (example,) = examples(str(CLONE))
    assert example.game == "dishwasher"
    (message,) = domain(layout="reference", examples=str(CLONE)).prompt(ROWS[2])
    assert "put plate (ID: 5) in dirty cup (ID: 4)" in message.content
    assert "Object: Soap\n" in message.content
    assert "Object: Food\n" not in message.content  # the last block, as in the reference


def test_a_folder_without_examples_names_the_files_looked_for(tmp_path):
    with pytest.raises(ExamplesError, match=r"text_game\.task\.examples.*data/examples\.json"):
        domain(layout="reference", examples=str(tmp_path))


def test_saying_what_is_so_already_is_no_change():
    rules = domain()
    prediction = rules.decode(ROWS[2], '{"modified": [[2,"on",false]], "removed": [], "score": {}}')
    assert not prediction.is_empty
    assert rules.is_change(ROWS[2], prediction) is False


@pytest.mark.parametrize(
    ("mode", "changed_by_first", "changed_by_second"),
    [("full", True, True), ("action", True, False), ("tick", False, True)],
)
def test_worked_examples_answer_what_the_mode_asks(mode, changed_by_first, changed_by_second):
    (message,) = domain(layout="reference", mode=mode).prompt(ROWS[2])
    answers = message.content.split("The expected answer:\n")[1:]
    stated = [json.loads(text.split("\n", 1)[0]) for text in answers]
    changes = [bool(value["modified"] or value["removed"]) for value in stated]
    assert changes == [changed_by_first, changed_by_second]
