"""Splits of the transitions table: who is trained on and who is tested, without leaks.

A source's own splits are kept. Where it brings no validation or no test rows, these are taken from
its training rows by whole tasks, so that no episode is on two sides. What a task is, and when two
rows ask the same, the domain says. All rules are seeded by hashes of the rows, not by their order.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

from worldtune.ingestion.rows import RowFault

SPLITS = ("train", "val", "test_iid", "test_unseen")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test_iid",
    "test_iid": "test_iid",
    "test_task": "test_iid",
    "test_unseen": "test_unseen",
    "test_website": "test_unseen",
    "test_domain": "test_unseen",
}
"""How sources name their splits -> ours. Unseen sites and domains of Mind2Web stay unseen."""

MIN_GROUPS = 10
"""With fewer tasks than this, single rows are drawn instead: a task would be too coarse a unit."""

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]


def named_split(value: Any) -> str | None:
    """Our name of a split that a source names; None if it names none. Raises RowFault."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or value.lower() not in SPLIT_NAMES:
        known = ", ".join(SPLIT_NAMES)
        raise RowFault("missing_field", f"split is {str(value)[:40]!r}; expected one of {known}")
    return SPLIT_NAMES[value.lower()]


def assign(
    rows: Sequence[Row],
    *,
    task: Callable[[Row], str],
    val_fraction: float,
    test_fraction: float,
    seed: int,
    held_out: Callable[[Row], bool] = lambda row: False,
) -> list[str]:
    """One split per row, kept where the row names one.

    Args:
        rows: transitions with row_id and split (None where the source names none).
        task: what a row belongs to; the rows of one task stay together.
        val_fraction: share in [0, 1] of the training rows set aside as val, if the source has none.
        test_fraction: the same for test_iid, if the source has no test rows of either kind.
        seed: changes which tasks are set aside.
        held_out: rows that are test_unseen whatever the source says; they do not count as tests of
            the source.
    """
    splits = [row["split"] or "train" for row in rows]
    named = {split for row, split in zip(rows, splits, strict=True) if not held_out(row)}
    splits = [
        "test_unseen" if held_out(row) else split for row, split in zip(rows, splits, strict=True)
    ]
    pool = [index for index, split in enumerate(splits) if split == "train"]
    groups = _groups(rows, pool, task=task, seed=seed)
    wanted = {"val": val_fraction if "val" not in named else 0.0}
    wanted["test_iid"] = test_fraction if not named & {"test_iid", "test_unseen"} else 0.0
    for split, fraction in wanted.items():
        taken = 0
        while groups and taken < round(fraction * len(pool)):
            group = groups.pop()
            taken += len(group)
            for index in group:
                splits[index] = split
    return splits


def drop_duplicates(
    rows: Rows, *, question: Callable[[Row], Hashable], whole: Collection[str] = ()
) -> tuple[Rows, int]:
    """Leave out rows whose question stands in an earlier split, and repeated row ids.

    Earlier is the order of SPLITS: what is trained on stays, its copies in the tests go. Splits in
    ``whole`` come before all others, so that theirs stay. Within one split a question may recur, in
    another episode for instance.

    Args:
        rows: transitions with row_id and split.
        question: what a row asks; equal for rows that a model cannot tell apart.
        whole: splits that lose no question to another one.
    """
    owner: dict[Hashable, int] = {}
    ranked = sorted(SPLITS, key=lambda split: split not in whole)
    order = {split: position for position, split in enumerate(ranked)}
    for row in rows:
        asked, position = question(row), order[row["split"]]
        owner[asked] = min(owner.get(asked, position), position)
    kept: Rows = []
    seen: set[str] = set()
    for row in rows:
        is_owner = owner[question(row)] == order[row["split"]]
        if is_owner and row["row_id"] not in seen:
            kept.append(row)
            seen.add(row["row_id"])
    return kept, len(rows) - len(kept)


def cap_unchanged(
    rows: Rows, *, max_fraction: float, seed: int, whole: Collection[str] = ()
) -> tuple[Rows, int]:
    """Leave out unchanged rows, by seeded draw, down to ``max_fraction`` of each split.

    Splits in ``whole`` are left as they are.
    """
    changed = Counter(row["split"] for row in rows if row["changed"])
    unchanged: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if not row["changed"] and row["split"] not in whole:
            unchanged[row["split"]].append(row["row_id"])
    surplus: set[str] = set()
    for split, ids in unchanged.items():
        if max_fraction < 1:
            # u / (u + c) <= f  <=>  u <= c f / (1 - f); 1e-9 outweighs the rounding of floats.
            allowed = int(changed[split] * max_fraction / (1 - max_fraction) + 1e-9)
            surplus.update(sorted(ids, key=lambda name: _draw(seed, name))[allowed:])
    return [row for row in rows if row["row_id"] not in surplus], len(surplus)


def thin(items: Sequence[Any], splits: Sequence[str | None], limit: int | None) -> list[Any]:
    """At most ``limit`` items of each split, evenly spread, in their order; None keeps all."""
    if limit is None:
        return list(items)
    members: dict[str | None, list[int]] = defaultdict(list)
    for index, split in enumerate(splits):
        members[split].append(index)
    kept: set[int] = set()
    for indices in members.values():
        count = min(limit, len(indices))
        kept.update(indices[position * len(indices) // count] for position in range(count))
    return [item for index, item in enumerate(items) if index in kept]


def _groups(
    rows: Sequence[Row], pool: list[int], *, task: Callable[[Row], str], seed: int
) -> list[list[int]]:
    """The training rows by task (or singly, where tasks are few), in a seeded order."""
    by_task: dict[str, list[int]] = defaultdict(list)
    for index in pool:
        by_task[task(rows[index])].append(index)
    if len(by_task) < MIN_GROUPS:
        by_task = {rows[index]["row_id"]: [index] for index in pool}
    return [by_task[key] for key in sorted(by_task, key=lambda key: _draw(seed, key))]


def _draw(seed: int, key: str) -> bytes:
    return hashlib.sha1(f"{seed}\0{key}".encode()).digest()
