import pytest

from worldtune.domains.web.readers.webarena import (
    item_lines,
    normalize,
    prompt_fields,
    split_answer,
    strip_note,
)
from worldtune.domains.web.tree import parse_line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[1] link 'Tea'", "[1] link 'Tea'"),
        ('\t[1] link "Men\'s"', "\t[1] link 'Men's'"),
        ('[1] link "Men\'s" hasPopup: menu', "[1] link 'Men's' hasPopup: menu"),
        ("[1] button 'Price: low:'", "[1] button 'Price: low:'"),
        ("[1] button 'Go' controls: expanded: True", "[1] button 'Go' expanded: True"),
        ("[1] button 'Go' controls:", "[1] button 'Go'"),
    ],
)
def test_lines_of_webarena_become_lines_of_our_grammar(line: str, expected: str) -> None:
    assert normalize(line) == expected
    assert parse_line(expected)


def test_items_are_stripped_lines_without_blanks_and_none() -> None:
    assert item_lines(" [1] a 'x'\n\nNone\n[2] b \"y's\"") == ["[1] a 'x'", "[2] b 'y's'"]
    assert item_lines(None) == []


@pytest.mark.parametrize("action", ["click [3] where [3] is link 'a where b'", " click [3]\nmore"])
def test_notes_and_later_lines_are_taken_off_an_action(action: str) -> None:
    assert strip_note(action) == "click [3]"


def test_fields_may_follow_the_observation() -> None:
    fields = prompt_fields(
        "CURRENT OBSERVATION:\n[1] a 'x'\nURL: u\nOBJECTIVE: o\nCURRENT ACTION:\ngo_back", "input"
    )
    assert fields == {
        "url": "u",
        "objective": "o",
        "previous_action": "None",
        "observation": "[1] a 'x'",
        "action": "go_back",
    }


def test_an_answer_without_sections_is_none() -> None:
    assert split_answer("Nothing happens.") is None
