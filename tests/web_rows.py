"""A small table of web transitions, as ingestion would leave it: a counter page and its buttons."""

import pandas as pd

COLOURS = ("red", "green", "blue", "black", "white", "pink")


def web_row(number: int) -> dict[str, object]:
    """Even rows raise a counter, odd ones add a list item; every sixth changes nothing."""
    count = number % 5
    colour = COLOURS[number % len(COLOURS)]
    observation = (
        "[1] RootWebArea 'Shop'\n"
        f"\t[2] StaticText 'basket {count}'\n"
        f"\t[3] button 'Add {colour}'\n"
        "\t[4] button 'List'"
    )
    raises, does_nothing = number % 2 == 0, number % 6 == 5
    new = [] if raises or does_nothing else [f"[9] StaticText '{colour} shirt'"]
    updated = [f"[2] StaticText 'basket {count + 1}'"] if raises else []
    return {
        "row_id": f"{number:016x}",
        "site": "basket" if raises else "list",
        "url": "http://127.0.0.1:8000/shop/index.html",
        "objective": f"Buy the {colour} shirt",
        "previous_action": "None",
        "observation": observation,
        "action": "click [3]" if raises else "click [4]",
        "next_id": 9,
        "new_items": new,
        "deleted_items": [],
        "updated_items": updated,
        "hidden_items": [],
        "changed": bool(new or updated),
        "predictable": number % 4 != 3,
    }


def web_table(count: int, first: int = 0) -> pd.DataFrame:
    """``count`` rows."""
    return pd.DataFrame([web_row(number) for number in range(first, first + count)])
