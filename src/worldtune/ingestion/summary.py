"""What a table of transitions holds, in plain JSON values: shares, groups of rows, histograms."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worldtune.ingestion.splits import SPLITS

Row = Mapping[str, Any]
_HISTOGRAM_BINS = 24


@dataclass(frozen=True)
class Share:
    """A share of rows, in [0, 1]: those that ``holds`` is true of, among all or changed rows."""

    name: str
    holds: Callable[[Row], bool]
    is_of_changed: bool = False

    def of(self, rows: Sequence[Row]) -> float:
        """The share; 0 where there are no rows to count among."""
        among = [row for row in rows if row["changed"]] if self.is_of_changed else rows
        return round(sum(self.holds(row) for row in among) / len(among), 4) if among else 0.0


@dataclass(frozen=True)
class Groups:
    """The groups of rows that a report lists: sites of the web, games of text games.

    column: of the group's name. facts: columns that are the same in all rows of a group.
    """

    column: str
    plural: str
    facts: tuple[str, ...] = ()


def split_summary(
    rows: Sequence[Row], shares: Sequence[Share], groups: Groups
) -> dict[str, dict[str, Any]]:
    """Rows, groups and shares of each split."""
    members = {split: [row for row in rows if row["split"] == split] for split in SPLITS}
    return {
        split: {
            "rows": len(found),
            "groups": len({row[groups.column] for row in found}),
            "shares": {share.name: share.of(found) for share in shares},
        }
        for split, found in members.items()
    }


def group_summary(rows: Sequence[Row], shares: Sequence[Share], groups: Groups) -> dict[str, Any]:
    """Facts, rows per split and shares of each group, sorted by name."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row[groups.column], []).append(row)
    return {
        "name": groups.column,
        "plural": groups.plural,
        "members": {
            name: {
                "facts": {fact: found[0][fact] for fact in groups.facts},
                "rows": len(found),
                "splits": dict(Counter(row["split"] for row in found)),
                "shares": {share.name: share.of(found) for share in shares},
            }
            for name, found in sorted(by_name.items())
        },
    }


def histogram(values: Sequence[int]) -> dict[str, Any]:
    """Counts in equal bins up to the 99th percentile; longer values fall into the last bin."""
    if not values:
        return {"edges": [], "counts": [], "median": 0, "max": 0}
    ordered = sorted(values)
    top = max(ordered[int(0.99 * (len(ordered) - 1))], 1)
    width = max(1, -(-top // _HISTOGRAM_BINS))
    num = -(-(top + 1) // width)
    counts = Counter(min(value // width, num - 1) for value in values)
    return {
        "edges": [index * width for index in range(num + 1)],
        "counts": [counts[index] for index in range(num)],
        "median": ordered[len(ordered) // 2],
        "max": ordered[-1],
    }
