"""Ingestion, the same for every domain: entries -> checks -> splits -> table and report.

A domain says in a ``Recipe`` what a good row is, which rows ask the same and what to count; the
parameters say how much to keep. Entries are read one at a time, and twice where there is a limit,
so that a source may be larger than memory.
"""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import pandas as pd

from worldtune.ingestion import splits
from worldtune.ingestion.account import (
    check_account,
    check_budget,
    count_reasons,
    excerpt,
    listed,
    quarantine_table,
)
from worldtune.ingestion.rows import Entry, RawRow, RowFault, SourceError, Unreadable
from worldtune.ingestion.summary import (
    Groups,
    Share,
    group_summary,
    histogram,
    split_summary,
)

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]


class Limits(Protocol):
    """The parameters that every domain's ingestion has."""

    @property
    def limit(self) -> int | None:
        """At most so many rows of each split, spread evenly over it; None keeps all."""

    @property
    def max_bad_fraction(self) -> float:
        """Largest share of quarantined rows, in [0, 1]."""

    @property
    def max_unchanged_fraction(self) -> float:
        """Largest share of rows in which nothing changes, in [0, 1] of each split."""

    @property
    def val_fraction(self) -> float:
        """Share of the training rows set aside as val where the source has none."""

    @property
    def test_fraction(self) -> float:
        """The same for test_iid."""


@dataclass(frozen=True)
class SourceFacts:
    """What a report says of a source: its kind and path, how many files, their sha256."""

    kind: str
    path: str
    files: int
    sha256: str


@dataclass(frozen=True)
class Recipe:
    """What a domain says of its rows.

    complete: a raw row and its position in the source -> a row of the table, ``split`` as the
    source names it; raises RowFault. question: equal for rows that a model cannot tell apart.
    task: rows of one task are never on two sides of a split. reasons: for quarantine, with their
    meaning, in the order of the checks. shares, groups, lengths (title -> a length per row, or None
    where it does not apply): what the report counts. dtypes: of columns that pandas cannot guess.
    held_out: rows that are test_unseen whatever the source says. whole_splits: splits of which
    neither surplus unchanged rows nor copies of training rows are left out. is_training_optional:
    whether a source may hold nothing but tests.
    """

    domain: str
    complete: Callable[[Row, int], dict[str, Any]]
    question: Callable[[Row], Hashable]
    task: Callable[[Row], str]
    reasons: Mapping[str, str]
    shares: Sequence[Share]
    groups: Groups
    lengths: Mapping[str, Callable[[Row], int | None]]
    dtypes: Mapping[str, str]
    held_out: Callable[[Row], bool] = lambda row: False
    whole_splits: frozenset[str] = frozenset()
    is_training_optional: bool = False

    @property
    def prefix(self) -> str:
        """What the keys of the parameters begin with."""
        return f"{self.domain}.ingest"


@dataclass(frozen=True)
class Ingested:
    """What ingestion gives back.

    transitions: one checked row per transition. quarantine: origin, reason, message and excerpt of
    each bad row. report: counts, shares and histograms as plain JSON values.
    """

    transitions: pd.DataFrame
    quarantine: pd.DataFrame
    report: dict[str, Any]


def ingest_entries(
    read: Callable[[], Iterator[Entry]],
    source: SourceFacts,
    *,
    recipe: Recipe,
    limits: Limits,
    seed: int,
) -> Ingested:
    """Check every row of a source, and split what is good.

    Args:
        read: begins reading the source; may be called twice.
        source: facts for the report.
        recipe: the domain's side.
        limits: the parameters ``<domain>.ingest``.
        seed: of the splits and of the draw of surplus unchanged rows.

    Raises:
        SourceError: the source cannot be read, or no training row is left of it.
        TooManyBadRowsError: the share of quarantined rows exceeds ``max_bad_fraction``.
    """
    start = time.perf_counter()
    available, entries = _choose(read, limits.limit)
    good, bad = _check(entries, recipe)
    num_in = len(good) + len(bad)
    check_budget(
        bad,
        num_in,
        max_bad_fraction=limits.max_bad_fraction,
        reasons=recipe.reasons,
        prefix=recipe.prefix,
    )
    rows, dropped = _split(good, recipe, limits=limits, seed=seed)
    counts = {
        "rows_available": num_in if available is None else available,
        "rows_in": num_in,
        "rows_out": len(rows),
        "quarantined": len(bad),
        **dropped,
    }
    check_account(counts)
    _check_training(rows, good, counts, source=source, recipe=recipe)
    report = {
        "domain": recipe.domain,
        "source": asdict(source),
        "seed": seed,
        "max_bad_fraction": limits.max_bad_fraction,
        "counts": counts,
        "reasons": count_reasons(bad, recipe.reasons),
        **_summary(rows, recipe),
        "wall_s": round(time.perf_counter() - start, 3),
    }
    table = pd.DataFrame(rows).astype(dict(recipe.dtypes))
    return Ingested(table, quarantine_table(bad), report)


def _choose(
    read: Callable[[], Iterator[Entry]], limit: int | None
) -> tuple[int | None, Iterator[Entry]]:
    """How many entries there are (None: all are used), and those to use."""
    if limit is None:
        return None, read()
    named = [_known_split(entry) for entry in read()]
    kept = set(splits.thin(range(len(named)), named, limit))
    return len(named), (entry for number, entry in enumerate(read()) if number in kept)


def _known_split(entry: Entry) -> str | None:
    split = entry.values.get("split") if isinstance(entry, RawRow) else None
    return split if isinstance(split, str) else None


def _check(entries: Iterator[Entry], recipe: Recipe) -> tuple[Rows, list[Unreadable]]:
    good: Rows = []
    bad: list[Unreadable] = []
    for number, entry in enumerate(entries):
        if isinstance(entry, Unreadable):
            bad.append(entry)
            continue
        try:
            row = recipe.complete(entry.values, number)
            row["split"] = splits.named_split(row["split"])
            good.append(row)
        except RowFault as fault:
            bad.append(Unreadable(fault.reason, str(fault), entry.origin, excerpt(entry.values)))
    return good, bad


def _split(rows: Rows, recipe: Recipe, *, limits: Limits, seed: int) -> tuple[Rows, dict[str, int]]:
    assigned = splits.assign(
        rows,
        task=recipe.task,
        val_fraction=limits.val_fraction,
        test_fraction=limits.test_fraction,
        seed=seed,
        held_out=recipe.held_out,
    )
    for row, split in zip(rows, assigned, strict=True):
        row["split"] = split
    rows, duplicates = splits.drop_duplicates(
        rows, question=recipe.question, whole=recipe.whole_splits
    )
    rows, surplus = splits.cap_unchanged(
        rows,
        max_fraction=limits.max_unchanged_fraction,
        seed=seed,
        whole=recipe.whole_splits,
    )
    return rows, {"surplus_unchanged": surplus, "duplicates": duplicates}


def _check_training(
    rows: Rows, good: Rows, counts: Mapping[str, int], *, source: SourceFacts, recipe: Recipe
) -> None:
    if any(row["split"] == "train" for row in rows):
        return
    if recipe.is_training_optional and rows and all(row["split"] != "train" for row in good):
        return
    raise SourceError(
        f"{recipe.prefix}.source.path: {source.path} leaves no training row "
        f"({listed(counts)}). Give a source with more rows in which something changes, "
        f"or raise {recipe.prefix}.max_unchanged_fraction."
    )


def _summary(rows: Rows, recipe: Recipe) -> dict[str, Any]:
    return {
        "splits": split_summary(rows, recipe.shares, recipe.groups),
        "groups": group_summary(rows, recipe.shares, recipe.groups),
        "histograms": {
            title: histogram(_lengths(rows, length)) for title, length in recipe.lengths.items()
        },
    }


def _lengths(rows: Rows, length: Callable[[Row], int | None]) -> list[int]:
    return [value for row in rows if (value := length(row)) is not None]
