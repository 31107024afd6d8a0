"""Ingestion of web transitions: source -> raw rows -> checks -> splits -> table.

A row ends in exactly one place: the table, quarantine (with one reason), the surplus of unchanged
rows, or the duplicates. The report counts them; the run stops where too many rows are bad.
"""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from worldtune.config import WebIngestConfig
from worldtune.domains.web import splits
from worldtune.domains.web.checks import SPLITS, complete_row
from worldtune.domains.web.readers import (
    RawRow,
    RowFault,
    SourceError,
    Unreadable,
    files,
    read_source,
)
from worldtune.domains.web.readers.rows import REASONS
from worldtune.errors import UserError

MAX_EXAMPLES = 3
"""Quarantined rows shown per reason in the report and in the error."""

_EXCERPT_CHARS = 1000
_INTEGERS = ("seed", "step", "next_id", "obs_tokens_est", "diff_tokens_est")
_HISTOGRAM_BINS = 24


class TooManyBadRowsError(UserError):
    """More rows than web.ingest.max_bad_fraction allows cannot be used."""


@dataclass(frozen=True)
class Ingested:
    """What ingestion gives back.

    transitions: one checked row per transition. quarantine: origin, reason, message and excerpt of
    each bad row. report: counts, shares and histograms as plain JSON values.
    """

    transitions: pd.DataFrame
    quarantine: pd.DataFrame
    report: dict[str, Any]


def ingest(config: WebIngestConfig, seed: int) -> Ingested:
    """Read a source, check every row, and split what is good.

    Args:
        config: parameters ``web.ingest``.
        seed: of the splits and of the draw of surplus unchanged rows.

    Raises:
        SourceError: the source cannot be read, or no training row is left of it.
        TooManyBadRowsError: the share of quarantined rows exceeds ``max_bad_fraction``.
    """
    start = time.perf_counter()
    source = files.find_files(config.source.path)
    raw = list(read_source(config.source.kind, source))
    entries = splits.thin(raw, [_known_split(entry) for entry in raw], config.limit)
    good, bad = _check(entries, config)
    _check_budget(bad, len(entries), config.max_bad_fraction)
    rows, dropped = _split(good, config, seed)
    counts = {
        "rows_available": len(raw),
        "rows_in": len(entries),
        "rows_out": len(rows),
        "quarantined": len(bad),
        **dropped,
    }
    _check_account(counts)
    if not any(row["split"] == "train" for row in rows):
        raise SourceError(
            f"web.ingest.source.path: {config.source.path} leaves no training row "
            f"({_listed(counts)}). Give a source with more rows in which something changes, "
            "or raise web.ingest.max_unchanged_fraction."
        )
    report = {
        "domain": "web",
        "source": {
            "kind": config.source.kind,
            "path": config.source.path,
            "files": len(source),
            "sha256": files.digest(source),
        },
        "seed": seed,
        "max_bad_fraction": config.max_bad_fraction,
        "counts": counts,
        "reasons": _reasons(bad),
        "splits": {
            split: _shares([row for row in rows if row["split"] == split]) for split in SPLITS
        },
        "sites": _sites(rows),
        "histograms": {
            "page length, tokens (estimate)": _histogram([row["obs_tokens_est"] for row in rows]),
            "changes, lines": _histogram([_num_lines(row) for row in rows if row["changed"]]),
        },
        "wall_s": round(time.perf_counter() - start, 3),
    }
    return Ingested(_table(rows), _quarantine(bad), report)


def _check(
    entries: list[RawRow | Unreadable], config: WebIngestConfig
) -> tuple[list[dict[str, Any]], list[Unreadable]]:
    good: list[dict[str, Any]] = []
    bad: list[Unreadable] = []
    for number, entry in enumerate(entries):
        if isinstance(entry, Unreadable):
            bad.append(entry)
            continue
        try:
            row = complete_row(
                entry.values, kind=config.source.kind, number=number, max_tokens=config.max_tokens
            )
            row["split"] = splits.named_split(row["split"])
            good.append(row)
        except RowFault as fault:
            bad.append(Unreadable(fault.reason, str(fault), entry.origin, _excerpt(entry.values)))
    return good, bad


def _split(
    rows: list[dict[str, Any]], config: WebIngestConfig, seed: int
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    assigned = splits.assign(
        rows, val_fraction=config.val_fraction, test_fraction=config.test_fraction, seed=seed
    )
    for row, split in zip(rows, assigned, strict=True):
        row["split"] = split
    rows, duplicates = splits.drop_duplicates(rows)
    rows, surplus = splits.cap_unchanged(
        rows, max_fraction=config.max_unchanged_fraction, seed=seed
    )
    return rows, {"surplus_unchanged": surplus, "duplicates": duplicates}


def _check_budget(bad: list[Unreadable], num_rows: int, max_bad_fraction: float) -> None:
    """Raise with counts per reason and the first examples if too many rows are bad."""
    if num_rows == 0:
        raise SourceError(
            "web.ingest.source.path: the source holds no rows. Give a file with transitions."
        )
    if len(bad) <= max_bad_fraction * num_rows:
        return
    counts = Counter(entry.reason for entry in bad)
    reasons = "\n".join(
        f"    {count:>6}  {reason}: {REASONS[reason]}" for reason, count in counts.most_common()
    )
    examples = "\n".join(
        f"    {entry.origin}  {entry.reason}: {entry.message}" for entry in bad[:MAX_EXAMPLES]
    )
    raise TooManyBadRowsError(
        f"{len(bad)} of {num_rows} rows are bad ({len(bad) / num_rows:.1%}); "
        f"web.ingest.max_bad_fraction allows {max_bad_fraction:.1%}.\n"
        f"  reasons:\n{reasons}\n  first examples:\n{examples}\n"
        "  Correct the source, or raise web.ingest.max_bad_fraction to leave these rows out."
    )


def _check_account(counts: Mapping[str, int]) -> None:
    places = ("rows_out", "quarantined", "surplus_unchanged", "duplicates")
    assert counts["rows_in"] == sum(counts[place] for place in places), (
        f"rows are unaccounted for: {_listed(counts)}"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _known_split(entry: RawRow | Unreadable) -> str | None:
    split = entry.values.get("split") if isinstance(entry, RawRow) else None
    return split if isinstance(split, str) else None


def _excerpt(values: Mapping[str, Any]) -> str:
    """The start of a bad row as ASCII, whatever it holds."""
    kept = {key: value for key, value in values.items() if value is not None}
    shown = {
        key: value[:_EXCERPT_CHARS] if isinstance(value, str) else value
        for key, value in kept.items()
    }
    return json.dumps(shown, default=str)[:_EXCERPT_CHARS]


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    dtypes = {**dict.fromkeys(_INTEGERS, "int32"), "reward": "float32"}
    return frame.astype(dtypes)


def _quarantine(bad: list[Unreadable]) -> pd.DataFrame:
    names = ["origin", "reason", "message", "excerpt"]
    return pd.DataFrame(
        [[getattr(entry, name) for name in names] for entry in bad], columns=names, dtype="str"
    )


def _reasons(bad: list[Unreadable]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for reason, meaning in REASONS.items():
        entries = [entry for entry in bad if entry.reason == reason]
        if entries:
            examples = [
                {"origin": entry.origin, "message": entry.message}
                for entry in entries[:MAX_EXAMPLES]
            ]
            found[reason] = {"count": len(entries), "meaning": meaning, "examples": examples}
    return found


def _shares(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows, sites, and the shares in [0, 1] of unchanged, structural and predictable rows."""
    num = len(rows)
    changed = [row for row in rows if row["changed"]]
    return {
        "rows": num,
        "sites": len({row["site"] for row in rows}),
        "unchanged": round(1 - len(changed) / num, 4) if num else 0.0,
        "structural": round(sum(row["structural"] for row in rows) / num, 4) if num else 0.0,
        "predictable": round(sum(row["predictable"] for row in rows) / num, 4) if num else 0.0,
        "predictable_of_changed": round(
            sum(row["predictable"] for row in changed) / len(changed), 4
        )
        if changed
        else 0.0,
    }


def _sites(rows: list[dict[str, Any]]) -> dict[str, Any]:
    by_site: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_site.setdefault(row["site"], []).append(row)
    return {
        site: {
            "page_set": members[0]["page_set"],
            **Counter(row["split"] for row in members),
            **_shares(members),
        }
        for site, members in sorted(by_site.items())
    }


def _num_lines(row: Mapping[str, Any]) -> int:
    return len(row["new_items"]) + len(row["deleted_items"]) + len(row["updated_items"])


def _histogram(values: list[int]) -> dict[str, Any]:
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
