"""The bad inputs of docs/data.md: each gets the message that the page shows for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from worldtune.config import WebIngestConfig, WebSource
from worldtune.domains.web.checks import REASONS
from worldtune.domains.web.data import ingest
from worldtune.ingestion.account import TooManyBadRowsError
from worldtune.ingestion.rows import SourceError

PAGE = "[1] RootWebArea 'Shop'\n\t[2] checkbox 'Tea' checked: False\n\t[3] button 'Add'"
TICKED = PAGE.replace("False", "True")
DOCUMENT = (Path(__file__).parents[3] / "docs/data.md").read_text(encoding="utf-8")


def line(**changes: Any) -> bytes:
    values = {
        "url": "http://shop.test/",
        "objective": "Buy tea",
        "previous_action": "None",
        "observation": PAGE,
        "action": "click [2]",
        "next_observation": TICKED,
    }
    kept = {key: value for key, value in {**values, **changes}.items() if value is not None}
    return json.dumps(kept).encode()


LISTS: dict[str, list[str]] = {"new_items": [], "deleted_items": []}
LONG = PAGE + "".join(f"\n\t[{i}] link 'Offer {i}'" for i in range(4, 400))
BAD = {
    "no action": line(action=None),
    "a line cut off in the middle": line()[:30],
    "100,000 opening brackets": b"[" * 100_000,
    "a Latin-1 `caf\u00e9`": line(objective="caf#").replace(b"#", b"\xe9"),
    'the escape `"\\ud800"` in a text': line(objective="\ud800"),
    "a null character": line(objective="\0"),
    "a page of 400 elements": line(observation=LONG),
    "a line of 10 MB": line(objective="x" * 10_000_000),
    "HTML in the page": line(observation=PAGE + "\n\t<div>Basket</div>"),
    "two elements with id 3": line(observation=PAGE + "\n\t[3] link 'Help'"),
    "`drag [2] [3]`": line(action="drag [2] [3]"),
    "`click [9]` on a page of three": line(action="click [9]"),
    "`changed: true`, both pages equal": line(next_observation=PAGE, changed=True),
    "a list that the pages do not bear out": line(
        **LISTS, updated_items=["[3] button 'Add' disabled: True"]
    ),
}


def write(folder: Path, num_good: int) -> WebIngestConfig:
    good = [
        line(objective=f"Buy tea {i}", observation=PAGE.replace("Tea", f"Tea {i}"))
        for i in range(num_good)
    ]
    (folder / "pages.jsonl").write_bytes(b"\n".join([*good, *BAD.values()]))
    source = WebSource(kind="jsonl", path=str(folder / "pages.jsonl"))
    return WebIngestConfig(source=source, max_bad_fraction=0.5)


def documented(folder: Path) -> list[str]:
    """The rows of the table of bad inputs as they should stand in docs/data.md."""
    quarantine = ingest(write(folder, 86), 0).quarantine
    assert len(quarantine) == len(BAD)
    rows = zip(BAD, quarantine["reason"], quarantine["message"], strict=True)
    return [f"| `{reason}` | {given} | `` {message} `` |" for given, reason, message in rows]


def test_every_bad_input_is_documented_with_the_message_it_gets(tmp_path: Path) -> None:
    rows = documented(tmp_path)
    missing = [row for row in rows if row not in DOCUMENT]
    assert not missing, "put these rows into docs/data.md:\n" + "\n".join(rows)
    assert {row.split("`")[1] for row in rows} == set(REASONS)


def test_the_documented_stop_is_what_a_user_sees(tmp_path: Path) -> None:
    config = write(tmp_path, 86).model_copy(update={"max_bad_fraction": 0.02})
    with pytest.raises(TooManyBadRowsError) as caught:
        ingest(config, 0)
    assert str(caught.value) in DOCUMENT, str(caught.value)


def test_the_documented_column_error_is_what_a_user_sees(tmp_path: Path) -> None:
    (tmp_path / "pages.jsonl").write_text('{"page": "", "click": 3}')
    config = WebIngestConfig(source=WebSource(kind="jsonl", path=str(tmp_path)))
    with pytest.raises(SourceError) as caught:
        ingest(config, 0)
    assert str(caught.value) in DOCUMENT, str(caught.value)
