import pytest

from worldtune.domains.web.tree import Changes
from worldtune.domains.web.zero_shot import (
    MAX_ANSWER_CHARS,
    MAX_ANSWER_LINES,
    completion,
    decode,
    item_spans,
    prompt,
    render,
)

A, B, C = "[1] a 'A'", "[2] b 'B' x: y", "[3] c 'None'"
TRUE = Changes((A, B), (), (C,))
ANSWER = """New items:
[1] a 'A'
[2] b 'B' x: y

Deleted items:
None

Updated items:
[3] c 'None'"""
OTHER = render(Changes(("[9] z 'draft'",), ("[9] z 'draft'",), ()))
ROW = {
    "url": "http://shop.test/cart?page=3",
    "objective": "Find the cheapest tea",
    "previous_action": "type [8] [green tea] [1]",
    "observation": "Tab 0 (current): Shop\n[1] RootWebArea 'Shop'\n\t[2] button '\ue60c Add'",
    "action": "click [2]",
    "new_items": [A, B],
    "deleted_items": [],
    "updated_items": [C],
}


def test_the_prompt_is_one_user_message_with_every_field() -> None:
    (message,) = prompt(ROW)
    assert message.role == "user"
    for label, field in (
        ("URL: ", "url"),
        ("OBJECTIVE: ", "objective"),
        ("PREVIOUS ACTION: ", "previous_action"),
        ("CURRENT OBSERVATION:\n", "observation"),
        ("CURRENT ACTION: ", "action"),
    ):
        assert message.content.count(f"\n{label}{ROW[field]}\n") == 1, label


@pytest.mark.parametrize("field", ["url", "objective", "previous_action", "observation", "action"])
def test_every_field_changes_the_prompt(field: str) -> None:
    assert prompt(ROW) != prompt({**ROW, field: "[1] RootWebArea 'Other'"})


def test_the_prompt_shows_an_answer_that_can_be_read() -> None:
    (message,) = prompt(ROW)
    example = message.content.split("For example:")[1].split("URL:")[0]
    assert decode(example) == Changes(
        ("[31] StaticText 'Added to cart'",), (), ("[12] button 'Basket (1)' expanded: False",)
    )


def test_the_answer_has_three_sections_in_the_order_of_the_paper() -> None:
    assert completion(ROW) == render(TRUE) == ANSWER


@pytest.mark.parametrize("reasoning", [None, "", " \n", float("nan")])
def test_a_row_without_reasoning_is_answered_directly(reasoning: object) -> None:
    assert completion({**ROW, "reasoning": reasoning}) == ANSWER


@pytest.mark.parametrize(
    "reasoning", ["It opens.\n", OTHER, "<think>It opens.</think>", "New items:\nperhaps a menu"]
)
def test_reasoning_of_the_row_comes_first_and_is_not_scored(reasoning: str) -> None:
    text = completion({**ROW, "reasoning": reasoning})
    assert text == f"{reasoning.rstrip()}\n\n{ANSWER}"
    assert decode(text) == TRUE


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ANSWER, id="plain"),
        pytest.param(ANSWER + "\n\n", id="trailing line breaks"),
        pytest.param(ANSWER.replace("\n\n", "\n"), id="no empty lines"),
        pytest.param(ANSWER.replace("\n", "\n \t"), id="indented"),
        pytest.param(ANSWER.replace("\n", "\r\n"), id="carriage returns"),
        pytest.param(ANSWER.replace("items:", "items: \t"), id="blanks after the header"),
        pytest.param(ANSWER.replace("None\n", "\n"), id="an empty section without None"),
        pytest.param("I think it opens.\n\n" + ANSWER, id="reasoning"),
        pytest.param(f"<think>Hm.</think>\n{ANSWER}", id="think tags"),
        pytest.param(f"<think>Hm.</think>{ANSWER}", id="answer right behind the tag"),
        pytest.param(f"Hm.\n</think>\n\n{ANSWER}", id="only the closing tag"),
        pytest.param(f"<think>\n{OTHER}\n</think>\n{ANSWER}", id="a draft inside the tags"),
        pytest.param(f"{OTHER}\n\nNo, rather:\n{ANSWER}", id="a draft without tags"),
        pytest.param(f"I fill in New items: and\nNew items:\nso\n{ANSWER}", id="headers mentioned"),
        pytest.param(f"Updated items:\nDeleted items:\n{ANSWER}", id="headers out of order before"),
    ],
)
def test_the_last_complete_run_of_sections_counts(text: str) -> None:
    assert decode(text) == TRUE
    assert [text[a:b].strip() for a, b in item_spans(text)] == [A, B, C]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("None", id="None"),
        pytest.param(ANSWER.partition("Updated")[0], id="last section missing"),
        pytest.param(ANSWER.partition("\n\n")[2], id="first section missing"),
        pytest.param(ANSWER.replace("Deleted items:\nNone\n", ""), id="middle section missing"),
        pytest.param(ANSWER[: ANSWER.index("Updated items:") + 9], id="cut inside a header"),
        pytest.param(
            ANSWER.replace("Updated items:", "Updated items: none"), id="header with text"
        ),
        pytest.param(ANSWER.replace("Updated items:", "updated items:"), id="lower case"),
        pytest.param(ANSWER.replace("New items:", "Updated items:"), id="wrong order"),
        pytest.param(f"<think>{ANSWER}</think>", id="inside the think tags only"),
        pytest.param(f"<think>\n{ANSWER}\n</think>\nNew items:\n", id="cut after thinking"),
        pytest.param(ANSWER + "\n" * MAX_ANSWER_LINES, id="too many lines"),
        pytest.param(" " * MAX_ANSWER_CHARS + ANSWER, id="too long"),
    ],
)
def test_other_answers_cannot_be_read(text: str) -> None:
    assert decode(text) is None
    assert item_spans(text) == []


def test_an_answer_that_is_cut_in_the_last_section_keeps_what_is_whole() -> None:
    assert decode(ANSWER[:-3]) == Changes((A, B), (), ("[3] c 'No",))
    assert decode(ANSWER[: -len(C)]) == Changes((A, B))


@pytest.mark.parametrize(
    ("text", "updated"),
    [
        # The engine drops special tokens before decoding; text that looks like one is an item.
        (ANSWER + "<|im_end|>", (C + "<|im_end|>",)),
        (ANSWER + "\n<|im_end|>", (C, "<|im_end|>")),
        (ANSWER + "\n\nI am sure.", (C, "I am sure.")),
        (ANSWER + "\n\nNew items:", (C, "New items:")),
    ],
)
def test_text_behind_the_answer_costs_precision_and_no_more(
    text: str, updated: tuple[str, ...]
) -> None:
    assert decode(text) == Changes((A, B), (), updated)


def test_an_item_that_quotes_the_think_tag_or_a_header_is_an_item() -> None:
    quoting = Changes(("[7] code '</think>'", "[8] code 'New items:'"), (), ("[9] a '</think>b'",))
    assert decode(render(quoting)) == quoting
    assert decode("<think>Hm</think>\n" + render(quoting)) == quoting


@pytest.mark.parametrize(
    "changes",
    [Changes(), Changes((A,)), Changes((), (B,)), Changes((), (), (C,)), Changes((A,), (B,), (C,))],
)
def test_any_changes_survive_writing_and_reading(changes: Changes) -> None:
    assert decode(render(changes)) == changes
