"""Our own exchange format: one object per transition, with both pages; the diff is computed.

Optional fields: site, task, seed, step, split, reward, done, stable. Anything else is left out.
"""

from collections.abc import Iterator
from typing import Any

from worldtune.ingestion.rows import Format, Record, RowFault, require_text

_FIELDS = ("url", "objective", "previous_action", "observation", "action", "next_observation")
_OPTIONAL = (
    "site",
    "task",
    "seed",
    "step",
    "split",
    "reward",
    "done",
    "stable",
    "changed",
    "licence",
)
_LISTS = ("new_items", "deleted_items", "updated_items")


def convert(record: Record) -> Iterator[dict[str, Any] | RowFault]:
    """Yield the one row of a record; lists that it brings are checked against the pages."""
    require_text(record.values, "next_observation")
    yield {name: record.values.get(name) for name in _FIELDS + _OPTIONAL + _LISTS}


FORMAT = Format(kind="jsonl", needs=(_FIELDS,), convert=convert)
