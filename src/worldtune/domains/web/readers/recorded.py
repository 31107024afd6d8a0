"""Our own recordings: the transitions table as the recorder writes it (parquet or JSON)."""

from collections.abc import Iterator
from typing import Any

from worldtune.ingestion.rows import Format, Record, RowFault


def convert(record: Record) -> Iterator[dict[str, Any] | RowFault]:
    """Yield the row as it is; the recorder's columns are ours."""
    yield dict(record.values)


FORMAT = Format(
    kind="recorded",
    needs=(
        (
            "observation",
            "action",
            "next_observation",
            "new_items",
            "deleted_items",
            "updated_items",
            "split",
        ),
    ),
    convert=convert,
)
