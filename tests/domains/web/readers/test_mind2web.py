import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worldtune.domains.web.checks import complete_row
from worldtune.domains.web.readers import READER
from worldtune.domains.web.readers.mind2web import MAX_NAME_CHARS, tree_text
from worldtune.domains.web.tree import parse_tree
from worldtune.ingestion.rows import RawRow, Unreadable

BEFORE = (
    '<html backend_node_id="1"><body><div><a backend_node_id="4" role="tab">'
    '<text backend_node_id="5">Today\'s deals</text></a></div>'
    '<input backend_node_id="7" type="checkbox" input_checked="false" aria_label="Only in stock">'
    '<input backend_node_id="8" type="text" placeholder="City" input_value="Rome">'
    '<select backend_node_id="9"><option backend_node_id="10" option_selected="true">One &amp; all'
    "</option></select></body></html>"
)
AFTER = BEFORE.replace('input_checked="false"', 'input_checked="true"')


def action(page: str, operation: str, target: int, value: str = "") -> dict[str, Any]:
    return {
        "action_uid": f"u{target}",
        "raw_html": "",
        "cleaned_html": page,
        "operation": {"op": operation, "original_op": operation, "value": value},
        "pos_candidates": [{"tag": "input", "backend_node_id": str(target), "attributes": "{}"}],
        "neg_candidates": [],
    }


def task(*actions: dict[str, Any]) -> dict[str, Any]:
    return {
        "annotation_id": "a-1",
        "website": "trips",
        "domain": "Travel",
        "subdomain": "Air",
        "confirmed_task": "Find a trip",
        "action_reprs": [],
        "actions": list(actions),
    }


TASK = task(
    action(BEFORE, "CLICK", 7), action(AFTER, "TYPE", 8, "Oslo"), action(AFTER, "SELECT", 9, "One")
)


def read(path: Path) -> list[RawRow | Unreadable]:
    return list(READER.read("mind2web", READER.find_files(str(path))))


def test_html_becomes_one_line_per_element_with_an_id() -> None:
    assert tree_text(BEFORE).split("\n") == [
        "[1] RootWebArea ''",
        "\t[4] tab ''",
        "\t\t[5] StaticText 'Today\N{RIGHT SINGLE QUOTATION MARK}s deals'",
        "\t[7] checkbox 'Only in stock' checked: False",
        "\t[8] textbox 'City' value: 'Rome'",
        "\t[9] combobox ''",
        "\t\t[10] option 'One & all' selected: True",
    ]


@pytest.mark.parametrize(
    "page",
    [
        '<div backend_node_id="1">' * 3000,
        '<p backend_node_id="1">' + "</b>" * 3000,
        '<a backend_node_id="1" title="' + "long name " * 3000 + '">x</a>',
        '<a backend_node_id="1" role="a \'b\'" value="\0\'">\ud800</a><!-- <',
    ],
    ids=["deep", "stray end tags", "long name", "odd characters"],
)
def test_hostile_html_gives_lines_that_parse(page: str) -> None:
    lines = tree_text(page).split("\n")
    assert all(parse_tree(line.lstrip("\t")) for line in lines)
    assert all(len(line.lstrip("\t")) < MAX_NAME_CHARS + 100 for line in lines)


@pytest.mark.parametrize("name", ["train_0.json", "train.jsonl", "train.parquet"])
def test_the_next_page_is_that_before_the_next_action_and_the_last_action_gives_no_row(
    tmp_path: Path, name: str
) -> None:
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist([TASK]), tmp_path / name)
    else:
        (tmp_path / name).write_text(json.dumps([TASK] if name.endswith(".json") else TASK))
    click, typing = read(tmp_path)
    assert isinstance(click, RawRow)
    assert isinstance(typing, RawRow)
    assert click.values["action"] == "click [7]"
    assert (typing.values["action"], typing.values["previous_action"]) == (
        "type [8] [Oslo] [0]",
        "click [7]",
    )
    row = complete_row(click.values, kind="mind2web", number=0, max_tokens=1024)
    assert row["updated_items"] == ["[7] checkbox 'Only in stock' checked: True"]
    assert (row["site"], row["task"], row["split"], row["step"]) == ("trips", "a-1", "train", 0)
    assert row["next_id"] == 11


def test_candidates_and_operations_may_be_json_text(tmp_path: Path) -> None:
    coded = [
        {
            **one,
            "operation": json.dumps(one["operation"]),
            "pos_candidates": json.dumps(one["pos_candidates"]),
        }
        for one in TASK["actions"]
    ]
    (tmp_path / "a.json").write_text(json.dumps([{**TASK, "actions": coded}]))
    assert [row.values["action"] for row in read(tmp_path) if isinstance(row, RawRow)] == [
        "click [7]",
        "type [8] [Oslo] [0]",
    ]


@pytest.mark.parametrize(
    ("broken", "reason", "words"),
    [
        ({**action(BEFORE, "CLICK", 7), "pos_candidates": []}, "missing_field", "pos_candidates"),
        (action(BEFORE, "DRAG", 7), "unknown_action", "'DRAG'; expected CLICK, TYPE or SELECT"),
        (action("<p>text</p>", "CLICK", 7), "unparsable_tree", "backend_node_id"),
        (action("", "CLICK", 7), "missing_field", "cleaned_html is empty"),
        ({"cleaned_html": BEFORE}, "missing_field", "operation is not an object"),
    ],
)
def test_a_bad_action_is_one_fault_and_the_rest_of_the_task_is_kept(
    tmp_path: Path, broken: dict[str, Any], reason: str, words: str
) -> None:
    good = action(BEFORE, "CLICK", 7)
    (tmp_path / "a.json").write_text(json.dumps([task(broken, good, good)]))
    bad, kept = read(tmp_path)
    assert isinstance(bad, Unreadable)
    assert bad.reason == reason
    assert words in bad.message
    assert isinstance(kept, RawRow)


def test_a_task_without_actions_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{**TASK, "actions": "none"}]))
    (bad,) = read(tmp_path)
    assert isinstance(bad, Unreadable)
    assert bad.message == "actions is not a list of objects"
