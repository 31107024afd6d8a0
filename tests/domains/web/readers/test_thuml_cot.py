from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worldtune.domains.web.checks import complete_row
from worldtune.domains.web.readers import READER
from worldtune.ingestion.rows import RawRow, Unreadable

QUESTION = """You are an agent that predicts the effect of an action on a webpage.
OBJECTIVE: means the task, for example
CURRENT OBSERVATION:
[9] button 'Example'
CURRENT ACTION: click [9]

URL: http://shop.test/women
OBJECTIVE: Add the cheapest shirt to my cart
PREVIOUS ACTION: click [1121] where [1121] is tab 'Women' expanded: True
CURRENT OBSERVATION:
Tab 0 (current): Women's wear

[1] RootWebArea 'Women' focused: True
\t[5] link "Men's shoes"
\t[6] button 'Price: low' hasPopup: menu controls:
\t\t[7] StaticText '\\ue60c 12.00'
CURRENT ACTION: click [6] where [6] is button 'Price: low' hasPopup: menu
Please give the result directly.
"""


def record(**changes: Any) -> dict[str, Any]:
    values = {
        "task_id": 17,
        "step_idx": 2,
        "previous_actions": ["None"],
        "next_state_acctree": "[1] RootWebArea 'Women'",
        "refined_tao": "1. a menu opens",
        "raw_prediction": "[Rationale] ... [Next State] ...",
        "next_state_description_with_tao": "A menu opens.",
        "new_items": "[8] menu \"Men's prices\"\n\n[9] menuitem 'Low' focused: True",
        "updated_items": "[6] button 'Price: low' hasPopup: menu expanded: True",
        "deleted_items": "None",
        "question": QUESTION,
        "answer": "A click opens the menu.\n\nNew items:\n[8] menu 'x'\n\nDeleted items:\nNone",
        "data_source": "web_agent",
        "prompt": [{"role": "user", "content": QUESTION}],
        "ability": "web",
        "reward_model": {"style": "rule", "ground_truth": "..."},
        "extra_info": {"index": 0},
    }
    return {**values, **changes}


def read(folder: Path, **tables: list[dict[str, Any]]) -> list[RawRow | Unreadable]:
    for name, rows in tables.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return list(READER.read("thuml_cot", READER.find_files(str(folder))))


def test_the_page_and_its_context_come_out_of_the_question(tmp_path: Path) -> None:
    train, test = reversed(read(tmp_path, train=[record()], test=[record(task_id=18)]))
    assert isinstance(train, RawRow)
    assert isinstance(test, RawRow)
    assert train.values == {
        "url": "http://shop.test/women",
        "objective": "Add the cheapest shirt to my cart",
        "previous_action": "click [1121]",
        "observation": "Tab 0 (current): Women's wear\n\n[1] RootWebArea 'Women' focused: True\n"
        "\t[5] link 'Men's shoes'\n\t[6] button 'Price: low' hasPopup: menu\n"
        "\t\t[7] StaticText '\\ue60c 12.00'",
        "action": "click [6]",
        "new_items": ["[8] menu 'Men's prices'", "[9] menuitem 'Low' focused: True"],
        "deleted_items": [],
        "updated_items": ["[6] button 'Price: low' hasPopup: menu expanded: True"],
        "task": "17",
        "step": 2,
        "split": "train",
        "reasoning": "A click opens the menu.",
        "licence": "MIT",
    }
    assert (test.values["split"], test.values["task"]) == ("test_iid", "18")


def test_a_row_of_this_format_passes_the_checks_without_a_next_page(tmp_path: Path) -> None:
    (raw,) = read(tmp_path, train=[record()])
    assert isinstance(raw, RawRow)
    row = complete_row(raw.values, kind="thuml_cot", number=0, max_tokens=5000)
    assert (row["site"], row["next_id"], row["next_observation"]) == ("shop.test", 8, "")
    assert (row["changed"], row["structural"], row["predictable"]) == (True, True, False)
    assert row["hidden_items"] == ["[8] menu 'Men's prices'"], (
        "its word 'prices' is not on the page"
    )
    assert row["reasoning"] == "A click opens the menu."


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("CURRENT OBSERVATION:", "OBSERVATION:", "no line that starts with 'CURRENT OBSERVATION:'"),
        ("CURRENT ACTION:", "ACTION:", "no line that starts with 'CURRENT ACTION:'"),
    ],
)
def test_a_missing_marker_is_a_fault_with_its_name(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    (bad,) = read(tmp_path, train=[record(question=QUESTION.replace(old, new))])
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.origin) == ("missing_field", "train.parquet:1")
    assert words in bad.message
