from typing import Any

import pytest

from worldtune.domains.web.recorder.snapshot import (
    DomElement,
    Element,
    Page,
    clean_text,
    has_phrase,
    number,
    read_dom,
    read_elements,
)


def ax(
    identifier: str, role: str, name: str = "", children: str = "", **extra: Any
) -> dict[str, Any]:
    """One node of an accessibility tree as Chromium sends it; children are ids of one letter."""
    return {
        "nodeId": identifier,
        "role": {"value": role},
        "name": {"value": name},
        "childIds": list(children),
        "backendDOMNodeId": ord(identifier),
        "properties": [{"name": key, "value": {"value": value}} for key, value in extra.items()],
    }


def lines(nodes: list[dict[str, Any]], dom: dict[int, DomElement] | None = None) -> list[str]:
    elements = read_elements(nodes, dom or {})
    return number(elements, previous=None, is_same_document=False).text.split("\n")


def element(key: int, name: str = "x") -> Element:
    return Element((key, "button"), "button", name, (), 0)


def ids(page: Page) -> dict[str, int]:
    return {node.name: node.id for node in page.nodes}


def test_containers_without_meaning_leave_the_tree_and_their_children_move_up() -> None:
    tree = [
        ax("a", "RootWebArea", "Shop", "b"),
        ax("b", "generic", "", "cd"),
        ax("c", "button", "Add", "e"),
        ax("d", "navigation", "", "f"),
        ax("e", "StaticText", "Add"),
        ax("f", "link", "Home"),
    ]
    assert lines(tree) == ["[1] RootWebArea 'Shop'", "\t[2] button 'Add'", "\t[3] link 'Home'"]


def test_ignored_nodes_are_dropped() -> None:
    tree = [ax("a", "RootWebArea", "Shop", "b"), {**ax("b", "button", "Add"), "ignored": True}]
    assert lines(tree) == ["[1] RootWebArea 'Shop'"]


def test_text_is_kept_only_where_it_says_more_than_the_name_around_it() -> None:
    tree = [
        ax("a", "RootWebArea", "Shop", "bde"),
        ax("b", "heading", "Two shirts", "c"),
        ax("c", "StaticText", "Two"),
        ax("d", "StaticText", "Shop"),
        {**ax("e", "textbox", "Query", "f"), "value": {"value": "mug"}},
        ax("f", "StaticText", "mug"),
    ]
    assert lines(tree) == [
        "[1] RootWebArea 'Shop'",
        "\t[2] heading 'Two shirts'",
        "\t[3] StaticText 'Shop'",
        "\t[4] textbox 'Query' value: 'mug'",
    ]


@pytest.mark.parametrize(
    ("node", "line"),
    [
        (
            ax("b", "checkbox", "A", checked="true", required=False),
            "[2] checkbox 'A' checked: True",
        ),
        (
            ax("b", "checkbox", "A", required=True, checked="mixed"),
            "[2] checkbox 'A' checked: Mixed required: True",
        ),
        (
            ax("b", "button", "A", pressed="false", disabled=True),
            "[2] button 'A' pressed: False disabled: True",
        ),
        (ax("b", "button", "A", disabled=False, focused=True), "[2] button 'A'"),
        (ax("b", "textbox", "A", invalid="false"), "[2] textbox 'A'"),
        (ax("b", "textbox", "A", invalid="true"), "[2] textbox 'A' invalid: True"),
        (
            ax("b", "tab", "A", expanded=False, selected=True),
            "[2] tab 'A' selected: True expanded: False",
        ),
        (
            {**ax("b", "textbox", "A"), "value": {"value": " it's\n so "}},
            "[2] textbox 'A' value: 'it\N{RIGHT SINGLE QUOTATION MARK}s so'",
        ),
    ],
)
def test_states_stand_in_a_fixed_order_and_only_where_they_say_something(
    node: dict[str, Any], line: str
) -> None:
    assert lines([ax("a", "RootWebArea", "P", "b"), node])[1].strip() == line


def test_a_native_select_never_shows_whether_it_is_expanded() -> None:
    tree = [ax("a", "RootWebArea", "P", "b"), ax("b", "combobox", "Sort", expanded=False)]
    assert lines(tree, {ord("b"): DomElement("select", {})})[1].strip() == "[2] combobox 'Sort'"


def test_ids_go_up_in_document_order_from_one() -> None:
    page = number(
        [element(30, "a"), element(10, "b"), element(20, "c")],
        previous=None,
        is_same_document=False,
    )
    assert ids(page) == {"a": 1, "b": 2, "c": 3}
    assert page.next_id == 4


def test_new_elements_get_the_next_ids_in_document_order_and_old_ones_keep_theirs() -> None:
    before = number([element(1, "a"), element(2, "b")], previous=None, is_same_document=False)
    after = number(
        [element(9, "x"), element(2, "b"), element(5, "y")], previous=before, is_same_document=True
    )
    assert ids(after) == {"x": 3, "b": 2, "y": 4}


def test_an_element_that_comes_back_counts_as_new() -> None:
    first = number([element(1, "a"), element(2, "b")], previous=None, is_same_document=False)
    second = number([element(1, "a")], previous=first, is_same_document=True)
    third = number([element(1, "a"), element(2, "b")], previous=second, is_same_document=True)
    assert ids(third) == {"a": 1, "b": 3}


def test_on_another_document_everything_is_new() -> None:
    before = number([element(1, "a")], previous=None, is_same_document=False)
    after = number([element(1, "a")], previous=before, is_same_document=False)
    assert ids(after) == {"a": 2}


def test_two_elements_of_one_dom_node_keep_an_id_each() -> None:
    page = number([element(1, "a"), element(1, "b")], previous=None, is_same_document=False)
    again = number([element(1, "a"), element(1, "b")], previous=page, is_same_document=True)
    assert ids(page) == {"a": 1, "b": 2}
    assert ids(again) == {"a": 1, "b": 2}


def test_what_is_marked_as_hidden_content_covers_the_whole_subtree() -> None:
    strings = ["HTML", "UL", "LI", "data-hidden", "", "FORM", "INPUT"]
    document = {
        "nodes": {
            "parentIndex": [-1, 0, 1, 0, 3],
            "nodeName": [0, 1, 2, 5, 6],
            "backendNodeId": [1, 2, 3, 4, 5],
            "attributes": [[], [3, 4], [], [], []],
            "isClickable": {"index": [2]},
        }
    }
    dom = read_dom(document, strings)
    assert [dom[key].is_hidden_content for key in (1, 2, 3, 4)] == [False, True, True, False]
    assert dom[3].is_clickable
    assert dom[5].is_in_form
    assert dom[5].tag == "input"


def test_text_is_one_line_without_control_characters() -> None:
    assert clean_text("  a\n\tb\x00c \ue001 d") == "a b c d"


@pytest.mark.parametrize(
    ("text", "phrase", "is_in"),
    [("Two shirts", "shirts", True), ("Cart", "art", False), ("a b c", "b c", True)],
)
def test_a_phrase_is_found_at_word_borders(text: str, phrase: str, is_in: bool) -> None:
    assert has_phrase(text, phrase) is is_in
