"""The account of an ingestion: no row is lost, and bad rows are counted, shown and limited.

A row ends in exactly one place: the table, quarantine (with one reason), the surplus of unchanged
rows, or the duplicates. Too many bad rows stop the run.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from worldtune.errors import UserError
from worldtune.ingestion.rows import SourceError, Unreadable

MAX_EXAMPLES = 3
"""Quarantined rows shown per reason in the report and in the error."""

_EXCERPT_CHARS = 1000


class TooManyBadRowsError(UserError):
    """More rows than <domain>.ingest.max_bad_fraction allows cannot be used."""


def check_budget(
    bad: Sequence[Unreadable],
    num_rows: int,
    *,
    max_bad_fraction: float,
    reasons: Mapping[str, str],
    prefix: str,
) -> None:
    """Raise with counts per reason and the first examples if too many rows are bad.

    Args:
        bad: the quarantined rows.
        num_rows: rows read, good and bad.
        max_bad_fraction: largest share in [0, 1] of them that may be bad.
        reasons: reason -> its meaning.
        prefix: of the domain's parameters, such as "web.ingest".

    Raises:
        SourceError: there are no rows at all.
        TooManyBadRowsError: the share is larger.
    """
    if num_rows == 0:
        raise SourceError(
            f"{prefix}.source.path: the source holds no rows. Give a file with transitions."
        )
    if len(bad) <= max_bad_fraction * num_rows:
        return
    counts = Counter(entry.reason for entry in bad)
    lines = "\n".join(
        f"    {count:>6}  {reason}: {reasons[reason]}" for reason, count in counts.most_common()
    )
    examples = "\n".join(
        f"    {entry.origin}  {entry.reason}: {entry.message}" for entry in bad[:MAX_EXAMPLES]
    )
    raise TooManyBadRowsError(
        f"{len(bad)} of {num_rows} rows are bad ({len(bad) / num_rows:.1%}); "
        f"{prefix}.max_bad_fraction allows {max_bad_fraction:.1%}.\n"
        f"  reasons:\n{lines}\n  first examples:\n{examples}\n"
        f"  Correct the source, or raise {prefix}.max_bad_fraction to leave these rows out."
    )


def check_account(counts: Mapping[str, int]) -> None:
    """Assert that every row is in one place."""
    places = ("rows_out", "quarantined", "surplus_unchanged", "duplicates")
    assert counts["rows_in"] == sum(counts[place] for place in places), (
        f"rows are unaccounted for: {listed(counts)}"
    )


def listed(counts: Mapping[str, int]) -> str:
    """Counts in one line, for messages."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def excerpt(values: Mapping[str, Any]) -> str:
    """The start of a bad row as ASCII, whatever it holds."""
    kept = {key: value for key, value in values.items() if value is not None}
    shown = {
        key: value[:_EXCERPT_CHARS] if isinstance(value, str) else value
        for key, value in kept.items()
    }
    return json.dumps(shown, default=str)[:_EXCERPT_CHARS]


def quarantine_table(bad: Sequence[Unreadable]) -> pd.DataFrame:
    """Origin, reason, message and excerpt of each bad row."""
    names = ["origin", "reason", "message", "excerpt"]
    return pd.DataFrame(
        [[getattr(entry, name) for name in names] for entry in bad], columns=names, dtype="str"
    )


def count_reasons(bad: Sequence[Unreadable], reasons: Mapping[str, str]) -> dict[str, Any]:
    """Count, meaning and first examples of each reason that occurs, in the order of ``reasons``."""
    undeclared = {entry.reason for entry in bad} - reasons.keys()
    assert not undeclared, f"undeclared reasons {sorted(undeclared)}"
    found: dict[str, Any] = {}
    for reason, meaning in reasons.items():
        entries = [entry for entry in bad if entry.reason == reason]
        if entries:
            examples = [
                {"origin": entry.origin, "message": entry.message}
                for entry in entries[:MAX_EXAMPLES]
            ]
            found[reason] = {"count": len(entries), "meaning": meaning, "examples": examples}
    return found
