"""From recorded rows to the table that ships: what is kept, in which order, how it is written.

No browser here.
"""

import hashlib
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from worldtune.domains.web.recorder.rows import Row

MAX_OBS_TOKENS_EST = 220
MAX_DIFF_TOKENS_EST = 160
"""Longer rows are left out: the embedded model reads a few hundred tokens."""
MAX_UNCHANGED_SHARE = 0.2
"""Per site and split. Clicks that do nothing are common; a model would learn to say just that."""
MAX_FOREIGN_ROWS = 50
"""Per MiniWoB++ family: many of them are little but fields to fill in."""
ZSTD_LEVEL = 19

_TYPES = {"int": pa.int32(), "bool": pa.bool_(), "float": pa.float32(), "str": pa.string()}


def schema() -> pa.Schema:
    """The columns of the shipped table: strings, int32, float32, bool and lists of strings."""
    types = [
        (item.name, _TYPES.get(str(getattr(item.type, "__name__", item.type))))
        for item in fields(Row)
    ]
    return pa.schema(
        [pa.field(name, kind or pa.list_(pa.string()), nullable=False) for name, kind in types]
    )


def select_rows(rows: Iterable[Row]) -> list[Row]:
    """Choose what ships, sorted.

    Rows that are short enough; each (observation, action) once in all splits; few unchanged rows.
    """
    ordered = sorted(
        rows, key=lambda row: (row.page_set != "own", row.site, row.task, row.seed, row.step)
    )
    short = [
        row
        for row in ordered
        if row.obs_tokens_est <= MAX_OBS_TOKENS_EST and row.diff_tokens_est <= MAX_DIFF_TOKENS_EST
    ]
    return _cap_families(_cap_unchanged(_without_repeats(short)))


def _without_repeats(rows: Sequence[Row]) -> list[Row]:
    seen: set[tuple[str, str]] = set()
    kept: list[Row] = []
    for row in rows:
        key = (row.observation, row.action)
        if key not in seen:
            seen.add(key)
            kept.append(row)
    return kept


def _cap_unchanged(rows: Sequence[Row]) -> list[Row]:
    """Drop surplus unchanged rows of each site and split; which ones, the row id decides."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.split, row.page_set, row.site].append(row)
    dropped: set[str] = set()
    for group in groups.values():
        idle = sorted((row for row in group if not row.changed), key=_rank)
        num_changed = len(group) - len(idle)
        limit = math.floor(num_changed * MAX_UNCHANGED_SHARE / (1 - MAX_UNCHANGED_SHARE))
        dropped.update(row.row_id for row in idle[limit:])
    return [row for row in rows if row.row_id not in dropped]


def _cap_families(rows: Sequence[Row]) -> list[Row]:
    """Drop surplus rows of each MiniWoB++ family; which ones, the row id decides."""
    families: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.page_set == "miniwob":
            families[row.site].append(row)
    surplus = (sorted(family, key=_rank)[MAX_FOREIGN_ROWS:] for family in families.values())
    dropped = {row.row_id for family in surplus for row in family}
    return [row for row in rows if row.row_id not in dropped]


def _rank(row: Row) -> str:
    # A hash of the id and not the id: readers may sample by id.
    return hashlib.sha1(row.row_id.encode(), usedforsecurity=False).hexdigest()


def write_parquet(rows: Sequence[Row], path: Path) -> str:
    """Write the table atomically; returns its sha256. The same rows give the same bytes."""
    columns = schema()
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(
        table,
        temporary,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        row_group_size=1 << 16,
        data_page_size=1 << 22,
        write_statistics=False,
    )
    os.replace(temporary, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
