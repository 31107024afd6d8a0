import re
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from worldtune.domains.web import compact, zero_shot
from worldtune.domains.web.domain import TOKEN_PATTERN
from worldtune.domains.web.metrics import truth
from worldtune.domains.web.tree import Changes, diff, parse_line, parse_tree
from worldtune.engine.task.tokenizer import train_tokenizer

RECORDING = Path(__file__).parents[3] / "data" / "01_raw" / "web" / "transitions.parquet"
PAGE = """[1] RootWebArea 'Shop'
\t[2] checkbox 'Tea' checked: False
\t[3] button 'Add'
\t[4] textbox 'Search' value: 'cup of tea' required: True
\t[5] link '' hasPopup: menu"""
ROW: dict[str, Any] = {
    "url": "http://shop.test/list.html",
    "observation": PAGE,
    "action": "click [2]",
    "next_id": 6,
    "new_items": [],
    "deleted_items": [],
    "updated_items": [],
}
NOTHING = "+\n-\n~"


def row(after: str, before: str = PAGE) -> dict[str, Any]:
    new, deleted, updated = diff(parse_tree(before), parse_tree(after)).sections
    lists = {"new_items": new, "deleted_items": deleted, "updated_items": updated}
    return {**ROW, "observation": before, **lists}


@cache
def recorded() -> list[dict[str, Any]]:
    if not RECORDING.is_file():
        pytest.skip(f"NOT CHECKED on shipped rows: no recording at {RECORDING}")
    return pd.read_parquet(RECORDING).to_dict("records")


def test_the_prompt_shows_action_and_target_before_and_after_the_page() -> None:
    assert compact.prompt(ROW) == (
        " list\n"
        " click [2] checkbox Tea | checked: False\n"
        " [1] RootWebArea Shop\n"
        "\t [2] checkbox Tea | checked: False\n"
        "\t [3] button Add\n"
        "\t [4] textbox Search | value= cup of tea required: True\n"
        "\t [5] link | hasPopup: menu\n"
        " click [2] checkbox Tea | checked: False\n"
    )


@pytest.mark.parametrize(
    ("action", "short"),
    [
        ("click [3]", "click [3] button Add"),
        ("hover [3]", "hover [3] button Add"),
        ("press [3]", "press [3]"),  # a key, not an element
        ("tab_focus [3]", "tab_focus [3]"),
        ("click [77]", "click [77]"),
        ("type [3] [green tea] [1]", "type [3] button Add with green tea enter"),
        ("type [3] [green tea] [0]", "type [3] button Add with green tea"),
        ("type [3] [tea]", "type [3] button Add with tea enter"),  # Enter is WebArena's default
        ("type [3] [a] [1] b] [0]", "type [3] button Add with a] [1] b"),
        ("type [3] [] [0]", "type [3] button Add with "),
        ("type [3] [a\nb] [0]", "type [3] button Add with a\nb"),
        ("type [77] [tea] [0]", "type [77] with tea"),
        ("select [3] [Option 1]", "select [3] button Add with Option 1"),
        ("goto [http://a.test/shop/cart.html?x=1#y]", "goto shop cart"),
        ("goto [about:blank]", "goto about:blank"),
        ("go_back", "go_back"),
        ("scroll [down]", "scroll [down]"),
    ],
)
def test_actions_are_shortened(action: str, short: str) -> None:
    text = compact.prompt({**ROW, "action": action})
    assert text.startswith(f" list\n {short}\n [1] RootWebArea Shop\n")
    assert text.endswith(f"hasPopup: menu\n {short}\n")


@pytest.mark.parametrize(
    ("after", "answer"),
    [
        pytest.param(PAGE, NOTHING, id="nothing"),
        pytest.param(PAGE + "\n[6] StaticText 'Hi'", "+ [6] StaticText Hi\n-\n~", id="new"),
        pytest.param(
            PAGE + "\n[6] a ''\n[7] b 'x y' p: 1 q: 'v w'",
            "+ [6] a\n [7] b x y | p: 1 q= v w\n-\n~",
            id="two new",
        ),
        pytest.param("\n".join(PAGE.split("\n")[:3]), "+\n- [4] [5]\n~", id="deleted"),
        pytest.param(PAGE.replace("False", "True"), "+\n-\n~ [2] | checked: True", id="attribute"),
        pytest.param(PAGE.replace("'Add'", "'Added 1'"), "+\n-\n~ [3] Added 1", id="name"),
        pytest.param(
            PAGE.replace("'Tea' checked: False", "'Tee' checked: mixed"),
            "+\n-\n~ [2] Tee | checked: mixed",
            id="name and attribute",
        ),
        pytest.param(PAGE.replace(" required: True", ""), "+\n-\n~ [4] | required-", id="removed"),
        pytest.param(
            PAGE.replace("'cup of tea' required: True", "'a b' busy: 1"),
            "+\n-\n~ [4] | value= a b busy: 1 required-",
            id="removed, changed and added",
        ),
        pytest.param(
            PAGE.replace("button 'Add'", "link 'Add'"), "+\n-\n~ =[3] link 'Add'", id="role"
        ),
        pytest.param(PAGE.replace("'Add'", "''"), "+\n-\n~ =[3] button ''", id="name goes away"),
        pytest.param(
            PAGE.replace("'cup of tea'", "''"),
            "+\n-\n~ =[4] textbox 'Search' value: '' required: True",
            id="emptied",
        ),
    ],
)
def test_answers_are_as_short_as_they_can_be(after: str, answer: str) -> None:
    changed = row(after)
    assert compact.completion(changed) == answer
    assert compact.decode(changed, answer) == truth(changed)


ODD_NAMES = [
    "",
    " ",
    "a ",
    " a",
    "  a  b  ",
    "a|b",
    "a | b",
    "|",
    "a | b: c",
    "a: b",
    "a= b",
    "a-",
    "x | a-",
    "it's",
    "'quoted'",
    "a' b: c",
    '"',
    "[3]",
    "[3] button 'Add'",
    "=",
    "= a",
    "+",
    "-",
    "~",
    "\t",
    "a\tb",
    "\u00dcber \u4f60\u597d \U0001f600 \ue60c",
    "\u00a0",
    "\u2028",
    "\x0b",
    "\0",
    "\ud800",
    "None",
    "New items:",
]
ODD_ATTRIBUTES = [
    "",
    " a: b",
    " a: 'b c'",
    " a: ''",
    " a: '' b: c",
    " a: ' '",
    " a: 'b '",
    " a: ' b'",
    " a: 'b | c'",
    " a: 'b- c'",
    " a: 'x b: y'",
    " a: 'x b= y'",
    " a: 'b' a: 'c'",
    " a: b c d",
    " a: b' c: d",
    " a: -",
    " a: b-",
    " a: |",
    " a: =",
    " a-: b",
    " a: 'b\tc'",
    " a: 12:30",
    " a: http://x.test/?a=b|c",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_and_values_survive_as_new_deleted_and_updated(name: str) -> None:
    for attributes in ODD_ATTRIBUTES:
        odd = f"[3] link '{name}'{attributes}"
        rows = [
            row(f"[1] r ''\n{odd}", "[1] r ''"),
            row("[1] r ''", f"[1] r ''\n{odd}"),
            row(f"[1] r ''\n{odd}", "[1] r ''\n[3] link 'old' z: 'y x' a: old"),
            row(f"[1] r ''\n{odd}", "[1] r ''\n[3] link 'old'"),
            row("[1] r ''\n[3] link 'new' z: 1", f"[1] r ''\n{odd}"),
        ]
        for each in rows:
            answer = compact.completion(each)
            assert compact.decode(each, answer) == truth(each), (odd, answer)
            assert compact.prompt(each).endswith("\n click [2]\n")


@pytest.mark.parametrize("line", ["raw text", "[007] button 'x'", "=[3]", "=", "[3]", "-", "~ x"])
def test_lines_outside_the_grammar_are_written_in_full(line: str) -> None:
    for section in ("new_items", "deleted_items", "updated_items"):
        odd = {**ROW, section: [line, line + "2"]}
        assert compact.decode(odd, compact.completion(odd)) == truth(odd)


# The page of the shift: ids with gaps, out of order, and as an episode leaves them after a while.
GAPS = PAGE.replace("[1]", "[40]").replace("[2]", "[12]").replace("[4]", "[77]")
AFTER = """[1] RootWebArea 'Shop'
\t[2] checkbox 'Tea' checked: True
\t[4] textbox 'Search' value: 'cup' required: True
\t[6] StaticText 'Saved'
\t[5] link 'Cart' hasPopup: menu
\t[7] button 'Undo' pressed: False"""


def shifted(each: dict[str, Any], ids: dict[int, int], next_id: int) -> dict[str, Any]:
    """The same row as another episode would number it; ids that are not in ``ids`` are new ones."""

    def line(text: str) -> str:
        node = parse_line(text)
        return replace(node, id=ids.get(node.id, node.id - each["next_id"] + next_id)).line

    nodes = parse_tree(each["observation"])
    page = "\n".join("\t" * node.depth + line(node.line) for node in nodes)
    action = re.sub(
        r"\A(click|hover|type|select) \[(\d+)\]",
        lambda match: f"{match[1]} [{ids.get(int(match[2]), match[2])}]",
        each["action"],
    )
    items = ("new_items", "deleted_items", "updated_items")
    lists = {name: [line(item) for item in each[name]] for name in items}
    return {**each, "observation": page, "action": action, "next_id": next_id, **lists}


@pytest.mark.parametrize(
    ("ids", "next_id"),
    [
        pytest.param({i: i + 32 for i in range(1, 6)}, 38, id="later in the episode"),
        pytest.param({1: 40, 2: 12, 3: 3, 4: 77, 5: 5}, 78, id="gaps and out of order"),
        pytest.param({1: 40, 2: 12, 3: 3, 4: 77, 5: 5}, 500, id="ids that are gone"),
        pytest.param({i: 6 - i for i in range(1, 6)}, 6, id="backwards"),
        pytest.param({i: i - 1 for i in range(1, 6)}, 5, id="from zero"),
        pytest.param({i: 999_999_000 + i for i in range(1, 6)}, 999_999_006, id="nine digits"),
    ],
)
def test_numbers_do_not_depend_on_the_ids_of_the_episode(ids: dict[int, int], next_id: int) -> None:
    plain = row(AFTER)
    other = shifted(plain, ids, next_id)
    answer = "+ [6] StaticText Saved\n [7] button Undo | pressed: False\n- [3]"
    assert compact.completion(plain).startswith(answer)
    assert compact.prompt(other) == compact.prompt(plain)
    assert compact.completion(other) == compact.completion(plain)
    assert compact.decode(other, compact.completion(plain)) == truth(other) != truth(plain)


def test_the_recorded_rows_read_the_same_in_another_episode() -> None:
    for each in recorded()[::7]:
        nodes = parse_tree(each["observation"])
        ids = {node.id: 1_000 + 3 * i for i, node in enumerate(nodes)}
        other = shifted(each, ids, 10_000)
        assert compact.prompt(other) == compact.prompt(each), each["row_id"]
        answer = compact.completion(each)
        # Lines in full keep their own id.
        if " =[" not in answer:
            assert compact.completion(other) == answer, each["row_id"]
            assert compact.decode(other, answer) == truth(other), each["row_id"]


@pytest.mark.parametrize(
    ("observation", "next_id", "line", "short"),
    [
        (PAGE, 6, "[6] a 'x'", "[6] a x"),
        (PAGE, 6, "[9] a 'x'", "[9] a x"),
        (PAGE, 6, "[3] a 'x'", "[3] a x"),  # the page's own ids are known whatever the rest says
        (PAGE, 50, "[50] a 'x'", "[6] a x"),
        (PAGE, 50, "[51] a 'x'", "[7] a x"),
        (PAGE, 50, "[49] a 'x'", "=[49] a 'x'"),  # neither on the page nor new
        (PAGE, 50, "[6] a 'x'", "=[6] a 'x'"),
        (PAGE, 50, "[0] a 'x'", "=[0] a 'x'"),
        (GAPS, 78, "[40] a 'x'", "[1] a x"),
        (GAPS, 78, "[77] a 'x'", "[4] a x"),
        (GAPS, 78, "[78] a 'x'", "[6] a x"),
        (GAPS, 78, "[41] a 'x'", "=[41] a 'x'"),
        (GAPS, 20, "[77] a 'x'", "[4] a x"),  # next_id is too small: the page's ids still win
        (GAPS, 20, "[40] a 'x'", "[1] a x"),
        (GAPS, 20, "[20] a 'x'", "[6] a x"),
        (GAPS, 20, "[78] a 'x'", "[64] a x"),
        (GAPS, 20, "[19] a 'x'", "=[19] a 'x'"),
        (PAGE, 0, "[0] a 'x'", "[6] a x"),
        (PAGE, 0, "[3] a 'x'", "[3] a x"),
        (PAGE, 1, "[999999999] a 'x'", "=[999999999] a 'x'"),  # the number would not be read
    ],
)
def test_new_numbers_go_on_after_the_last_element(
    observation: str, next_id: int, line: str, short: str
) -> None:
    page = {**ROW, "observation": observation, "next_id": next_id, "new_items": [line]}
    assert compact.completion(page) == f"+ {short}\n-\n~"
    assert compact.decode(page, f"+ {short}\n-\n~") == Changes((line,))


@pytest.mark.parametrize(
    ("next_id", "answer", "expected"),
    [
        (50, "+ [6] a x\n-\n~", Changes(("[50] a 'x'",))),
        (50, "+ [9] a x\n-\n~", Changes(("[53] a 'x'",))),  # a gap is no error
        (50, "+ [06] a x\n-\n~", Changes(("[50] a 'x'",))),
        (50, "+ [999999999] a x\n-\n~", Changes(("[1000000043] a 'x'",))),
        (50, "+ [1000000000] a x\n-\n~", Changes(("[1000000000] a x",))),  # no entry
        (50, "+ [3] a x\n-\n~", Changes(("[3] a 'x'",))),
        (50, "+ [0] a x\n-\n~", Changes(("[44] a 'x'",))),
        (2, "+ [0] a x\n-\n~", Changes(("[0] a 'x'",))),  # never below zero
        (2, "+ [6] a x\n-\n~", Changes(("[2] a 'x'",))),
        (50, "+\n- [6] [50] [0]\n~", Changes((), ("[6]", "[50]", "[0]"))),
        (50, "+\n-\n~ [6] x\n [50] x", Changes((), (), ("[6] x", "[50] x"))),
    ],
)
def test_numbers_beyond_the_page_are_new_elements_and_nowhere_else_elements(
    next_id: int, answer: str, expected: Changes
) -> None:
    assert compact.decode({**ROW, "next_id": next_id}, answer) == expected


def test_the_acted_on_element_is_named_by_its_number() -> None:
    page = {**ROW, "observation": GAPS, "next_id": 78}
    for action, ask in [
        ("click [12]", " click [2] checkbox Tea | checked: False"),
        ("type [77] [7] [0]", " type [4] textbox Search | value= cup of tea required: True with 7"),
        ("click [2]", " click [2]"),  # not on the page: as it was written
    ]:
        assert compact.prompt({**page, "action": action}).split("\n")[1] == ask


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("+ \n- \n~ ", Changes()),
        ("+\n\n-\n\n~\n\n", Changes()),
        ("+\n- [3]\n~", Changes((), ("[3] button 'Add'",))),
        (
            "+\n-[3]\n [2]\n~",
            Changes((), ("[3] button 'Add'", "[2] checkbox 'Tea' checked: False")),
        ),
        ("+\n- [77]\n~", Changes((), ("[77]",))),  # not on the page: a wrong item
        ("+\n- [3] oops [3\n~", Changes((), ("[3] button 'Add'", "oops", "[3"))),
        ("+\n- =[9] x 'y' [3]\n~", Changes((), ("[9] x 'y' [3]",))),
        ("+\n-\n~ [77] Name", Changes((), (), ("[77] Name",))),
        ("+\n-\n~ [3]", Changes((), (), ("[3] button 'Add'",))),
        ("+\n-\n~ [3] | checked-", Changes((), (), ("[3] button 'Add'",))),
        ("+\n-\n~ [3] |", Changes((), (), ("[3] |",))),
        ("+\n-\n~ [3] | oops", Changes((), (), ("[3] | oops",))),
        ("+\n-\n~ [3] | a: b | c: d", Changes((), (), ("[3] | a: b | c: d",))),
        ("+ [6]\n-\n~", Changes(("[6]",))),
        ("+ text\n-\n~", Changes(("text",))),
        ("+ [6] link\n-\n~", Changes(("[6] link ''",))),
        ("+ [6] link | a-\n-\n~", Changes(("[6] link ''",))),
        ("+ None\n- None\n~ None", Changes(("None",), ("None",), ("None",))),
        ("+\n-\n~\n~ [3] Saved", Changes((), (), ("~ [3] Saved",))),
    ],
)
def test_what_is_no_entry_stays_a_wrong_item(answer: str, expected: Changes) -> None:
    assert compact.decode(ROW, answer) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "+",
        "+\n-",
        "+\n~",
        "-\n~",
        "+ - ~",
        "+\n~\n-",
        " +\n-\n~",
        "\n+\n-\n~",
        "text +\n-\n~",
        "+\n -\n ~",
        "+" + " " * compact.MAX_ANSWER_CHARS + "\n-\n~",
        "+" + "\n x" * (compact.MAX_SECTION_ENTRIES + 1) + "\n-\n~",
        "+\n-" + " x" * (compact.MAX_SECTION_ENTRIES + 1) + "\n~",
    ],
)
def test_malformed_answers_are_not_read(answer: str) -> None:
    assert compact.decode(ROW, answer) is None
    assert compact.item_spans(answer) == []


def test_the_largest_sections_are_read() -> None:
    answer = "+" + "\n x" * compact.MAX_SECTION_ENTRIES + "\n-\n~"
    assert len(compact.item_spans(answer)) == compact.MAX_SECTION_ENTRIES


def test_item_spans_cover_entries_only() -> None:
    answer = "+ [6] a\n [7] b\n- [2] =[3] x\n~ [4] | c: d"
    spans = [answer[a:b].strip() for a, b in compact.item_spans(answer)]
    assert spans == ["[6] a", "[7] b", "[2]", "=[3] x", "[4] | c: d"]


@cache
def recorded_answers() -> list[str]:
    return [compact.completion(each) for each in recorded()]


def test_every_recorded_row_survives_both_layouts() -> None:
    start = time.thread_time()
    for each, answer in zip(recorded(), recorded_answers(), strict=True):
        true = truth(each)
        assert compact.decode(each, answer) == true, each["row_id"]
        assert zero_shot.decode(zero_shot.completion(each)) == true, each["row_id"]
    assert time.thread_time() - start < 20


def visible(each: dict[str, Any]) -> tuple[Any, ...]:
    """What the prompt must tell apart: the elements in order and the action, whatever the ids."""
    nodes = parse_tree(each["observation"])
    ids = {node.id: i for i, node in enumerate(nodes, start=1)}
    same = shifted({**each, "next_id": 0}, ids, 0)
    return same["observation"], same["action"]


def test_two_recorded_rows_have_the_same_prompt_only_if_the_visible_input_is_the_same() -> None:
    first: dict[str, dict[str, Any]] = {}
    for each in recorded()[::2]:
        twin = first.setdefault(compact.prompt(each), each)
        assert twin is each or visible(twin) == visible(each), each["row_id"]


def test_recorded_rows_are_almost_never_written_in_full() -> None:
    in_full = sum(" =[" in answer for answer in recorded_answers())
    assert in_full < 0.01 * len(recorded())


def test_prompts_and_answers_are_short_with_a_tokenizer_of_the_training_split(
    record_property: Any,
) -> None:
    # A third of the split is enough to learn the words.
    pairs = list(zip(recorded(), recorded_answers(), strict=True))
    train = [compact.prompt(row) + text for row, text in pairs[::3] if row["split"] == "train"]
    test = [(compact.prompt(row), text) for row, text in pairs[::2] if row["split"] == "test_iid"]
    tokenizer = train_tokenizer(train, pattern=TOKEN_PATTERN, vocab_size=4096)

    def mean_tokens(texts: list[str]) -> float:
        return sum(map(len, tokenizer(texts)["input_ids"])) / len(texts)

    prompt_tokens = mean_tokens([prompt for prompt, _ in test])
    answer_tokens = mean_tokens([answer for _, answer in test])
    record_property("mean_prompt_tokens", round(prompt_tokens, 1))
    record_property("mean_answer_tokens", round(answer_tokens, 1))
    assert (prompt_tokens < 130, answer_tokens < 35) == (True, True), (prompt_tokens, answer_tokens)
