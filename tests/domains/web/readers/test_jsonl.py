import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worldtune.domains.web.readers import READER
from worldtune.ingestion.rows import RawRow, Unreadable

ROW = {
    "url": "http://shop.test/",
    "objective": "Buy tea",
    "previous_action": "None",
    "observation": "[1] checkbox 'Tea' checked: False",
    "action": "click [1]",
    "next_observation": "[1] checkbox 'Tea' checked: True",
}


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet"])
def test_the_six_fields_are_read_from_every_file_type(tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist([{**ROW, "site": "shop"}]), tmp_path / name)
    else:
        (tmp_path / name).write_text(json.dumps({**ROW, "site": "shop", "colour": "red"}))
    (row,) = READER.read("jsonl", READER.find_files(str(tmp_path / name)))
    assert isinstance(row, RawRow)
    kept = {key: value for key, value in row.values.items() if value is not None}
    assert kept == {**ROW, "site": "shop"}


def test_a_later_row_without_a_field_is_quarantined_not_fatal(tmp_path: Path) -> None:
    lines = [ROW, {**ROW, "next_observation": None}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    good, bad = READER.read("jsonl", READER.find_files(str(tmp_path)))
    assert isinstance(good, RawRow)
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.message) == (
        "missing_field",
        "next_observation is absent; expected text",
    )
