import random
import time

import pytest

from worldtune.domains.web.tree import (
    MAX_LINE_CHARS,
    Changes,
    Node,
    TreeError,
    diff,
    parse_line,
    parse_tree,
)

LINES = [
    ("[1] RootWebArea ''", Node(1, "RootWebArea", "")),
    ("\t\t[12] button 'Add'", Node(12, "button", "Add", (), 2)),
    ("[0] link 'Bob's car'", Node(0, "link", "Bob's car")),
    ("[2] tab '' focused: True", Node(2, "tab", "", (("focused", "True"),))),
    (
        "[1220] textbox '\ue60c' focused: True required: False",
        Node(1220, "textbox", "\ue60c", (("focused", "True"), ("required", "False"))),
    ),
    (
        "[5] link '\uf09a Share' hasPopup: menu expanded: False",
        Node(5, "link", "\uf09a Share", (("hasPopup", "menu"), ("expanded", "False"))),
    ),
    (
        "[5] textbox 'Q' value: 'a: b | c' required: False",
        Node(5, "textbox", "Q", (("value", "'a: b | c'"), ("required", "False"))),
    ),
    ("[5] textbox 'Q' value: ''", Node(5, "textbox", "Q", (("value", "''"),))),
    (
        "[5] slider 'Q' valuetext: 3 of 5 aria-x: y",
        Node(5, "slider", "Q", (("valuetext", "3 of 5"), ("aria-x", "y"))),
    ),
    ("[5] StaticText 'a: b'", Node(5, "StaticText", "a: b")),
    ("[5] StaticText ' a  b '", Node(5, "StaticText", " a  b ")),
    ("[5] StaticText '[6] link \"x\" | = ~'", Node(5, "StaticText", '[6] link "x" | = ~')),
    ("[999999999] StaticText '\u00dcber \u4f60\u597d \U0001f600'", None),
    ("[5] StaticText 'nul \0 and \ud800'", None),
]


@pytest.mark.parametrize(("line", "node"), LINES)
def test_a_line_is_read_and_written_back(line: str, node: Node | None) -> None:
    found = parse_line(line)
    assert "\t" * found.depth + found.line == line
    assert node is None or found == node


@pytest.mark.parametrize(
    "line",
    [
        "",
        "text",
        "[1]",
        "[1] button",
        "[1] button Add",
        "[1] 'Add'",
        "[-1] button 'Add'",
        "[1a] button 'Add'",
        "[1234567890] button 'Add'",
        "[01] button 'Add'",  # would be written back as [1]
        "[\u0663] button 'Add'",  # a digit of another script
        " [1] button 'Add'",
        "[1]  button 'Add'",
        "[1] button  'Add'",
        "[1] button 'Add",
        "[1] button 'Add' ",
        "[1] button 'Add' disabled",
        "[1] button 'Add' disabled:",
        "[1] button 'Add' disabled:True",
        "[1] button 'Add' 1st: True",
        "[1] button 'Add' value: 'a' b",
        "[1] button 'Add'\n",
        "[1] button 'A\nB'",
        "[1] button 'Add' value: 'a\nb'",
        "[1] button '" + "x" * MAX_LINE_CHARS + "'",
        "[" * 10_000,
    ],
)
def test_other_lines_are_refused_with_what_is_expected(line: str) -> None:
    with pytest.raises(TreeError, match=r"not an element line: .*expected: ") as caught:
        parse_line(line)
    assert len(str(caught.value)) < 400


def test_a_page_of_a_web_agent_is_read_in_document_order() -> None:
    text = (
        "Tab 0 (current): Luma | My Account\n\n"
        "[1] RootWebArea 'My Account' focused: True\n"
        "\t[7] link '\ue60c' hasPopup: menu\n"
        "\t\t[3] textbox 'Name' required: False\n\n"
    )
    nodes = parse_tree(text)
    assert [(node.id, node.depth) for node in nodes] == [(1, 0), (7, 1), (3, 2)]
    assert nodes[1].attributes == (("hasPopup", "menu"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no element"),
        (" \n\t\n", "holds no element"),
        ("Tab 0 (current): Shop", "holds no element"),
        ("[1] a ''\n[2] b ''\n\t[1] c ''", r"id \[1\] occurs twice"),
        ("[1] a ''\nMenu", "not an element line: 'Menu'"),
        ("[1] a ''\r\n[2] b ''", "not an element line"),
    ],
)
def test_a_bad_page_is_refused(text: str, message: str) -> None:
    with pytest.raises(TreeError, match=message):
        parse_tree(text)


def test_changes_come_in_document_order() -> None:
    before = parse_tree("[1] a ''\n[5] b '5'\n[2] b '2'\n[4] b '4'\n[3] b '3'")
    after = parse_tree("[9] b '9'\n[1] a 'x'\n[3] b 'y'\n[6] b '6'\n\t[2] b '2'\n[7] b '7'")
    assert diff(before, after) == Changes(
        new=("[9] b '9'", "[6] b '6'", "[7] b '7'"),
        deleted=("[5] b '5'", "[4] b '4'"),
        updated=("[1] a 'x'", "[3] b 'y'"),
    )


def test_depth_and_order_alone_are_no_change() -> None:
    before, after = parse_tree("[1] a ''\n[2] b ''"), parse_tree("[2] b ''\n\t[1] a ''")
    assert diff(before, after).is_empty
    assert Changes().is_empty


def test_a_change_of_role_or_of_one_attribute_is_an_update() -> None:
    before = parse_tree("[1] a '' x: 1\n[2] b ''\n[3] c '' x: 1 y: 2")
    after = parse_tree("[1] a '' x: 2\n[2] c ''\n[3] c '' y: 2")
    assert diff(before, after).updated == ("[1] a '' x: 2", "[2] c ''", "[3] c '' y: 2")


def random_page(rng: random.Random) -> str:
    words = ["a", "Tea", "it's", "a: b", "|", "=", "[3]", "\ue60c", '"x"', "  ", "12", "' x"]
    values = ["True", "menu", "'cup of tea'", "''", "'a: b'", "3 of 5", "x'y", "\u2019"]
    lines = []
    for key in rng.sample(range(100), rng.randint(1, 12)):
        name = " ".join(rng.choices(words, k=rng.randint(0, 4)))
        attributes = "".join(
            f" {name}: {rng.choice(values)}" for name in rng.sample("pqr", rng.randint(0, 3))
        )
        lines.append("\t" * rng.randint(0, 4) + f"[{key}] {rng.choice('uvw')} '{name}'{attributes}")
    return "\n".join(lines)


def test_random_pages_are_written_back_exactly_and_differences_apply() -> None:
    rng = random.Random(0)
    for _ in range(300):
        one, two = random_page(rng), random_page(rng)
        before, after = parse_tree(one), parse_tree(two)
        assert "\n".join("\t" * node.depth + node.line for node in before) == one
        changes = diff(before, after)
        lines = {node.id: node.line for node in before}
        for line in changes.deleted:
            assert lines.pop(parse_line(line).id) == line
        for line in changes.new:
            assert parse_line(line).id not in lines
        for line in (*changes.new, *changes.updated):
            lines[parse_line(line).id] = line
        assert lines == {node.id: node.line for node in after}


@pytest.mark.parametrize(
    "tail",
    ["' b: c", "' b: 'c'", "' b: x'y", "'", "' ", "b: ", "x ", "a-", " '", "' a: b c d", "\t"],
)
def test_no_line_takes_long_to_refuse(tail: str) -> None:
    line = "[1] a '" + tail * ((MAX_LINE_CHARS - 10) // len(tail)) + "' b: \0 c: '"
    start = time.thread_time()
    try:
        assert parse_line(line).line == line
    except TreeError:
        pass
    assert time.thread_time() - start < 0.2
