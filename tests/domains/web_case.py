"""The web domain for the tests of the contract."""

from collections.abc import Callable

from tests.domains.case import Case, Strategy
from worldtune.config import WebTaskConfig
from worldtune.contracts import Row
from worldtune.domains.web.tree import diff, parse_tree

HOSTILE = {
    "100,000 items": "+\nNew items:\n" + "[1] a 'b'\n" * 100_000,
    "100,000 headers": "New items:\nDeleted items:\nUpdated items:\n" * 33_334,
    "100,000 signs": "+\n" + "-\n" * 50_000 + "~\n" * 50_000,
    "signs within the limit": "+\n" + "-\n" * 16_000,
    "ids within the limit": "+\n-" + " [1]" * 2_000 + "\n~" + "\n[2] | checked: x" * 1_500,
    "full sections": "+" + "\n[9] a" * 256 + "\n-" + " [1]" * 256 + "\n~" + "\n[2]" * 256,
    "numbers beyond the page": "+" + "\n[999999999] a" * 2_000 + "\n-\n~",
    "many attributes": "+ [5] a b | " + "a= " * 10_000 + "\n-\n~",
    "many removals": "+\n-\n~ [2] | a= " + "b- " * 10_000,
    "header and 250,000 spaces": "New items:" + " " * 250_000 + "x",
    "one line within the limit": "+ [5] button " + "x y " * 8_000 + "\n-\n~",
    "huge id": f"+ [{'9' * 9_000}] a b\n- [{'9' * 9_000}] [999999999]\n~ [999999999] a",
}


def web_row(before: str, after: str, action: str = "click [2]") -> Row:
    old, new = parse_tree(before), parse_tree(after)
    changes = diff(old, new)
    return {
        "site": "shop",
        "url": "http://shop.test/cart/index.html",
        "objective": "Buy tea",
        "previous_action": "None",
        "observation": before,
        "action": action,
        "next_id": max(node.id for node in old) + 1,
        "new_items": list(changes.new),
        "deleted_items": list(changes.deleted),
        "updated_items": list(changes.updated),
        "changed": not changes.is_empty,
        "predictable": True,
    }


SHOP = """[1] RootWebArea 'Shop'
\t[2] checkbox 'Tea' checked: False
\t[3] button 'Add'
\t[4] textbox 'Search' value: 'cup of tea'
\t[5] StaticText 'Total 12'"""
# Names and values at the border of the grammar: pipe, apostrophe, private use, blanks, empty.
ODD = """Tab 0 (current): Odd | shop
[1] RootWebArea 'Odd | shop'
\t[2] textbox '\ue60c' required: False value: 'a '
\t[3] link 'Bob's "a: b"' hasPopup: menu
\t[4] button ' ' url: =x"""
WEB_ROWS = (
    web_row(SHOP, SHOP),
    web_row(ODD, ODD),
    web_row(SHOP, SHOP + "\n\t[6] StaticText 'Saved'\n\t[7] button 'Undo' pressed: False"),
    web_row(SHOP, "[1] RootWebArea 'Shop'"),
    web_row(SHOP, SHOP.replace("checked: False", "checked: True").replace("12", "15")),
    web_row(ODD, ODD.replace("'a '", "''").replace("' '", "'  |'")),
    web_row(
        ODD,
        "[1] RootWebArea ''\n\t[3] link 'Bob's' hasPopup: menu\n\t[9] note '=[3] -' title: 'x  y '",
        "type [2] [tea [1]] [1]",
    ),
    web_row(SHOP, "[8] RootWebArea 'Cart'\n\t[9] heading 'Cart'", "goto [http://shop.test/cart]"),
)


def page_lines(row: Row) -> list[str]:
    return [node.line for node in parse_tree(row["observation"])]


def web_sections(new: list[str], deleted: list[str], updated: list[str]) -> str:
    sections = ("New items:", new), ("Deleted items:", deleted), ("Updated items:", updated)
    return "\n\n".join("\n".join((header, *(lines or ["None"]))) for header, lines in sections)


def web_compact(new: list[str], deleted: list[str], updated: list[str]) -> str:
    return "".join(
        sign + "".join(f" ={line}\n" for line in lines) + ("" if lines else "\n")
        for sign, lines in zip("+-~", (new, deleted, updated), strict=True)
    )


def web_strategies(write: Callable[..., str], nothing: float) -> tuple[Strategy, ...]:
    """Limits on the rows above, of which 2 of 8 are unchanged; ``nothing`` limits "no change"."""
    return (
        Strategy("empty text", lambda row: "", 0.0),
        Strategy("nothing changes", lambda row: write([], [], []), nothing),
        Strategy("everything appears", lambda row: write(page_lines(row), [], []), 0.45),
        Strategy("everything disappears", lambda row: write([], page_lines(row), []), 0.45),
        Strategy("everything is updated", lambda row: write([], [], page_lines(row)), 0.45),
        Strategy("everything", lambda row: write(*[page_lines(row)] * 3), 0.45),
        Strategy("copy the page", lambda row: row["observation"], 0.0),
    )


def web_case(layout: str, reward: str, nothing: float) -> Case:
    write = web_compact if layout == "compact" else web_sections
    wrong = ["[999] button 'Wrong'"]
    return Case(
        domain="web",
        task=WebTaskConfig(layout=layout, reward=reward),
        rows=WEB_ROWS,
        inputs=lambda row: (row["observation"], row["action"]),
        worst=write(wrong, wrong, wrong),
        unparsable=("hello", "None", "[1] RootWebArea 'Shop'", "{}", "\n\n", "+ - ~", "New item:"),
        items=lambda changes: [line for lines in changes.sections for line in lines],
        strategies=web_strategies(write, nothing),
        signs="+-~= [\n",
        hostile=HOSTILE,
    )


CASES = {
    "web-compact-f1": web_case("compact", "f1", nothing=0.25),
    "web-zero_shot-f1": web_case("zero_shot", "f1", nothing=0.25),
    # Here "None" is an item, so that "None" three times collects credit on changed rows too.
    "web-zero_shot-reference_f1": web_case("zero_shot", "reference_f1", nothing=0.65),
}
