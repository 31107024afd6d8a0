import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worldtune.ingestion.rows import (
    Format,
    RawRow,
    Record,
    RowFault,
    SourceError,
    Unreadable,
    require_text,
)
from worldtune.ingestion.source import SourceReader


def convert(record: Record) -> Iterator[dict[str, Any] | RowFault]:
    """One row per letter; a digit spoils its own row, an empty text the whole record."""
    for letter in require_text(record.values, "text"):
        fault = RowFault("not_a_letter", f"{letter!r} is no letter")
        yield fault if letter.isdigit() else {"letter": letter, "split": record.values.get("split")}


def whole(record: Record) -> Iterator[dict[str, Any] | RowFault]:
    yield dict(record.values)


READER = SourceReader(
    prefix="toy.ingest",
    formats={
        "letters": Format("letters", (("text",),), convert),
        "pairs": Format("pairs", (("left", "right"), ("one", "two")), whole),
    },
    hub_example="org/toys",
)


def write(folder: Path, *entries: Any, name: str = "a.jsonl") -> str:
    (folder / name).write_text("\n".join(map(json.dumps, entries)))
    return str(folder)


def test_records_become_rows_and_faults_become_unreadable_entries(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": "a1b"}, {"text": ""}, {"text": "c"})
    entries = list(READER.read("letters", READER.find_files(path)))
    assert [e.values["letter"] for e in entries if isinstance(e, RawRow)] == ["a", "b", "c"]
    faults = [(e.reason, e.origin, e.excerpt) for e in entries if isinstance(e, Unreadable)]
    assert faults == [
        ("not_a_letter", "a.jsonl:1", "fields: ['text']"),
        ("missing_field", "a.jsonl:2", "fields: ['text']"),
    ]


def test_columns_that_fit_no_format_are_listed_with_what_each_format_needs(tmp_path: Path) -> None:
    path = write(tmp_path, {"page": "", "click": 3})
    with pytest.raises(SourceError) as caught:
        list(READER.read("letters", READER.find_files(path)))
    assert str(caught.value) == (
        "toy.ingest.source.kind is 'letters', but the columns of a.jsonl do not fit it.\n"
        "  columns found: click, page\n"
        "  columns that each format needs:\n"
        "    letters: text\n"
        "    pairs: left, right | or one, two\n"
        "  They fit none: rename the columns to those of one format."
    )


def test_columns_that_fit_another_format_name_it(tmp_path: Path) -> None:
    pq.write_table(pa.table({"one": [""], "two": [""]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"They fit: pairs\.$"):
        list(READER.read("letters", READER.find_files(str(tmp_path))))


def test_a_file_without_a_readable_line_is_quarantined_and_not_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{\n{\n")
    entries = list(READER.read("letters", READER.find_files(str(tmp_path))))
    assert [entry.reason for entry in entries if isinstance(entry, Unreadable)] == ["not_json"] * 2


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(SourceError, match="kind is 'csv'; expected one of letters, pairs"):
        list(READER.read("csv", []))


def test_a_split_column_counts_more_than_the_file_name(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": "a", "split": "val"}, {"text": "b"}, name="train.jsonl")
    rows = list(READER.read("letters", READER.find_files(path)))
    assert [row.values["split"] for row in rows if isinstance(row, RawRow)] == ["val", "train"]
