"""From free text to the value it states."""

import pytest

from worldtune.domains.text_game.literals import MAX_CHARS, read_object, read_value

ANSWER = '{"modified": [], "removed": [1]}'
VALUE = {"modified": [], "removed": [1]}


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        f"I think so.\n{ANSWER}\nThat is all.",
        f"The final answer is: {ANSWER}",
        f"the final state is:\n```json\n{ANSWER}\n```",
        f"The final answer is: {{}} no, wait. THE FINAL ANSWER IS: {ANSWER}",
        f'First {{"modified": [7]}}, then\n```json\n{ANSWER}\n``` it is',
        f'<think>The final answer is: {{"removed": [9]}}</think>{ANSWER}',
        f"It doesn't matter {{at all}}: {ANSWER}",
        f'{{"a": 1}} {{"b": [2]}} {ANSWER}',
        "{'modified': [], 'removed': [1]}",
        '{"modified": [,], "removed": [,1,,],,}',
        '{"modified": [], "removed": [1',
        "{modified: [], removed: [1]}",
    ],
)
def test_the_last_object_of_the_answer_is_read(text):
    found = read_object(text)
    assert found is not None
    value, start, end = found
    assert value == VALUE
    assert text[start] == "{" and start < end <= len(text)


@pytest.mark.parametrize("text", ["", "no braces", "[1, 2]", "</think>", "{1, 2}"])
def test_what_holds_no_object_is_unreadable(text):
    assert read_object(text) is None


def test_what_was_only_thought_is_no_answer():
    assert read_object(f"{ANSWER}</think>I give up.") is None
    assert read_object(f"{ANSWER} The final answer is: none") is None


@pytest.mark.parametrize(
    "text",
    [
        r'{"a": "True, None, \" {x: [1,, 2]} // no"}',
        r"""{'a': 'True, None, " {x: [1,, 2]} // no'}""",
        r'{"a": "True, None, \" {x: [1,, 2]} // no",,}',
    ],
)
def test_text_inside_strings_is_never_altered(text):
    assert read_value(text) == {"a": 'True, None, " {x: [1,, 2]} // no'}


def test_json_and_python_words_may_be_mixed():
    assert read_value('{"a": True, "b": null, "c": "None"}') == {"a": True, "b": None, "c": "None"}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": -Infinity}',
        "{'a': {1, 2}}",
        "{'a': b'x'}",
        "{'a': (1, 2)}",
        "{1: 2}",
        "{'a': 0x" + "f" * 40 + "}",
        "[" * 30 + "]" * 30,
    ],
)
def test_what_is_no_plain_value_is_unreadable(text):
    assert read_value(text) is None


def test_nothing_is_ever_called(tmp_path):
    trap = tmp_path / "trap"
    read_value(f"{{'a': open({str(trap)!r}, 'w')}}")
    read_object(f"{{'a': __import__('pathlib').Path({str(trap)!r}).touch()}}")
    assert not trap.exists()


def test_a_text_beyond_the_limit_is_unreadable():
    assert read_object(ANSWER + " " * (MAX_CHARS - len(ANSWER))) is not None
    assert read_object(ANSWER + " " * (MAX_CHARS - len(ANSWER) + 1)) is None
