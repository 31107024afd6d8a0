import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worldtune.domains.web.readers import READER
from worldtune.ingestion.rows import RawRow, Unreadable

PROMPT = (
    "URL: http://shop.test/\nOBJECTIVE: Buy tea\nPREVIOUS ACTION: None\n"
    "CURRENT OBSERVATION:\n[1] checkbox 'Tea' checked: False\nCURRENT ACTION: click [1]\n"
)
ANSWER = (
    "[Rationale] The box is ticked.\nNew items:\nNone\n\nDeleted items:\nNone\n\n"
    "Updated items:\n[1] checkbox 'Tea' checked: True\n"
)
ALPACA = {"instruction": "Predict the next state.", "input": PROMPT, "output": ANSWER}
QUESTION = {"question": PROMPT, "answer": ANSWER}


def read(folder: Path) -> list[RawRow | Unreadable]:
    return list(READER.read("wma", READER.find_files(str(folder))))


def write(folder: Path, name: str, record: dict[str, Any]) -> None:
    match name.rsplit(".", 1)[1]:
        case "json":
            (folder / name).write_text(json.dumps([record]))
        case "jsonl":
            (folder / name).write_text(json.dumps(record) + "\n")
        case _:
            pq.write_table(pa.Table.from_pylist([record]), folder / name)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("record", [ALPACA, QUESTION], ids=["alpaca", "question"])
def test_both_forms_are_read_from_every_file_type(
    tmp_path: Path, name: str, record: dict[str, Any]
) -> None:
    write(tmp_path, name, record)
    (row,) = read(tmp_path)
    assert isinstance(row, RawRow)
    kept = {key: value for key, value in row.values.items() if value is not None}
    assert kept == {
        "url": "http://shop.test/",
        "objective": "Buy tea",
        "previous_action": "None",
        "observation": "[1] checkbox 'Tea' checked: False",
        "action": "click [1]",
        "new_items": [],
        "deleted_items": [],
        "updated_items": ["[1] checkbox 'Tea' checked: True"],
        "reasoning": "[Rationale] The box is ticked.",
    }


def test_a_page_in_the_instruction_is_found_too(tmp_path: Path) -> None:
    write(tmp_path, "a.json", {"instruction": PROMPT, "input": "", "output": ANSWER})
    (row,) = read(tmp_path)
    assert isinstance(row, RawRow)
    assert row.values["action"] == "click [1]"


def test_an_answer_in_words_only_is_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "a.json", {**ALPACA, "output": "The box will be ticked."})
    (bad,) = read(tmp_path)
    assert isinstance(bad, Unreadable)
    assert bad.reason == "missing_field"
    assert "output holds none of the headers 'New items:'" in bad.message
