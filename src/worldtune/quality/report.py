"""The validation report: what came in, what went where and why, as one offline HTML page.

Domain-blind: it reads the plain JSON values of an ingestion report (counts, reasons, splits,
groups, histograms), the quarantine table and the results of the expectation suites.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from worldtune.ingestion.splits import SPLITS
from worldtune.quality.suites import ExpectationResult
from worldtune.reporting.html import Html, Table, definitions, page, section, text
from worldtune.reporting.numbers import duration, label

MAX_EXAMPLES = 5
"""Quarantined rows shown in full per reason."""

_PLACES = (
    ("rows_in", "Rows in", "read from the source, up to the limit"),
    ("rows_out", "Rows out", "in the transitions table"),
    ("quarantined", "Quarantined", "bad rows, each with one reason"),
    ("surplus_unchanged", "Surplus unchanged", "left out so that inaction does not dominate"),
    ("duplicates", "Duplicates", "the same row, or the same question in another split"),
)
_WIDTH, _HEIGHT, _BOTTOM, _LEFT = 420, 170, 30, 44


def build_report(
    ingest_report: Mapping[str, Any],
    quarantine: pd.DataFrame,
    expectations: Mapping[str, Sequence[ExpectationResult]] | None,
) -> str:
    """Write the page.

    Args:
        ingest_report: what ingestion counted.
        quarantine: origin, reason, message and excerpt of each bad row.
        expectations: results per table name; None if validation was switched off.
    """
    domain, groups = str(ingest_report["domain"]), ingest_report["groups"]
    parts = (
        ("splits", "Splits", _splits(ingest_report["splits"], label(groups["plural"]))),
        ("quarantine", "Quarantine", _quarantine(ingest_report, quarantine)),
        ("lengths", "Lengths", _histograms(ingest_report["histograms"])),
        ("groups", label(groups["plural"]), _groups(groups)),
        ("expectations", "Expectations", _expectations(expectations)),
    )
    body = _overview(ingest_report) + "".join(
        section(title, html, anchor=key) for key, title, html in parts
    )
    return page(
        f"Data validation: {domain}", body, navigation=[(key, title) for key, title, _ in parts]
    )


def _overview(report: Mapping[str, Any]) -> str:
    counts, source = report["counts"], report["source"]
    tiles = "".join(
        f'<div class="tile"><span class="name">{text(name)}</span>'
        f'<span class="value">{counts[key]:,}</span><span class="name">{text(meaning)}</span></div>'
        for key, name, meaning in _PLACES
    )
    share = counts["quarantined"] / counts["rows_in"]
    facts = definitions(
        [
            ("Source", f"{source['kind']}: {source['path']}"),
            ("Files", source["files"]),
            ("sha256", source["sha256"]),
            ("Rows in the source", f"{counts['rows_available']:,}"),
            ("Seed", report["seed"]),
            ("Wall time", duration(report["wall_s"])),
        ]
    )
    return (
        f'<p class="eyebrow">worldtune, domain {text(report["domain"])}</p><h1>Data validation</h1>'
        f'<p class="verdict">{counts["rows_out"]:,} of {counts["rows_in"]:,} rows are in use. '
        f"{share:.2%} are quarantined; the limit is {report['max_bad_fraction']:.2%}. "
        "Every row is accounted for: rows in = rows out + quarantined + surplus + duplicates.</p>"
        f'<div class="tiles">{tiles}</div><div class="fact">{facts}</div>'
    )


def _splits(splits: Mapping[str, Mapping[str, Any]], groups: str) -> Html:
    rows = tuple(
        (name, f"{found['rows']:,}", str(found["groups"]), *_share_cells(found))
        for name, found in splits.items()
    )
    header = ("Split", "Rows", groups, *_share_names(splits))
    return Table("Rows and shares per split", header, rows).to_html()


def _share_names(summaries: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    first: Mapping[str, Any] = next(iter(summaries.values()), {"shares": ()})
    return tuple(map(label, first["shares"]))


def _share_cells(summary: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{share:.1%}" if summary["rows"] else "-" for share in summary["shares"].values())


def _quarantine(report: Mapping[str, Any], quarantine: pd.DataFrame) -> str:
    reasons = report["reasons"]
    if not reasons:
        return '<p class="note">Nothing was quarantined.</p>'
    total = report["counts"]["rows_in"]
    rows = tuple(
        (reason, f"{found['count']:,}", f"{found['count'] / total:.2%}", _prose(found["meaning"]))
        for reason, found in reasons.items()
    )
    table = Table("Rows per reason", ("Reason", "Rows", "Share", _prose("Meaning")), rows).to_html()
    return table + "".join(_examples(reason, quarantine) for reason in reasons)


def _examples(reason: str, quarantine: pd.DataFrame) -> str:
    chosen = quarantine[quarantine["reason"] == reason].head(MAX_EXAMPLES)
    items = "".join(
        f'<div class="card"><h4>{text(row["origin"])}</h4><p>{text(row["message"])}</p>'
        f'<p class="context"><code>{text(row["excerpt"])}</code></p></div>'
        for row in chosen.to_dict("records")
    )
    where = f'<span class="where">first {len(chosen)}</span>'
    return (
        f'<details class="example"><summary><code>{text(reason)}</code>{where}</summary>'
        f'<div class="answers" style="padding:0 1rem 1rem">{items}</div></details>'
    )


def _histograms(histograms: Mapping[str, Mapping[str, Any]]) -> str:
    figures = "".join(_histogram(title, data) for title, data in histograms.items())
    return f'<div class="charts">{figures}</div>'


def _histogram(title: str, data: Mapping[str, Any]) -> str:
    """Vertical bars over equal bins; the last bin also holds whatever is longer."""
    counts, edges = data["counts"], data["edges"]
    legend = f'<span class="legend">median {data["median"]:,}, longest {data["max"]:,}</span>'
    caption = f"<figcaption>{text(label(title))}{legend}</figcaption>"
    if not counts:
        return f'<figure class="chart">{caption}<p class="nothing">No rows.</p></figure>'
    step = (_WIDTH - _LEFT) / len(counts)
    top, floor = max(counts), _HEIGHT - _BOTTOM
    bars = "".join(
        _bar(_LEFT + index * step, step, (floor - 10) * count / top, floor)
        + f"<title>{edges[index]} to {edges[index + 1] - 1}: {count:,} rows</title></rect>"
        for index, count in enumerate(counts)
    )
    ticks = "".join(
        f'<text x="{_LEFT + index * step:.1f}" y="{floor + 14}" text-anchor="middle">'
        f"{edges[index]:,}</text>"
        for index in range(0, len(edges), -(-len(counts) // 6))
    )
    scale = (
        f'<text x="{_LEFT - 6}" y="14" text-anchor="end">{top:,}</text>'
        f'<text x="{_LEFT - 6}" y="{floor}" text-anchor="end">0</text>'
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{floor}" y2="{floor}"/>'
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="10" y2="10"/>'
    )
    name = text(f"{title}: rows per bin, median {data['median']}, longest {data['max']}")
    return (
        f'<figure class="chart">{caption}<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
        f"<title>{name}</title>{scale}{bars}{ticks}</svg></figure>"
    )


def _bar(x: float, step: float, height: float, floor: float) -> str:
    """The opening tag of a bar; its title follows."""
    return (
        f'<rect class="point series-0" x="{x + 0.75:.1f}" width="{max(step - 1.5, 1):.1f}" '
        f'y="{floor - height:.1f}" height="{height:.1f}">'
    )


def _groups(groups: Mapping[str, Any]) -> Html:
    members = groups["members"]
    rows = tuple(
        (
            name,
            *map(str, found["facts"].values()),
            *map(partial(_count_cell, found["splits"]), SPLITS),
            *_share_cells(found),
        )
        for name, found in members.items()
    )
    first: Mapping[str, Any] = next(iter(members.values()), {"facts": ()})
    header = (groups["name"], *first["facts"], *SPLITS)
    caption = f"Rows per {groups['name']} and split"
    return Table(caption, (*map(label, header), *_share_names(members)), rows).to_html()


def _count_cell(counts: Mapping[str, int], split: str) -> str:
    return f"{counts[split]:,}" if split in counts else "-"


def _expectations(expectations: Mapping[str, Sequence[ExpectationResult]] | None) -> str:
    if expectations is None:
        return '<p class="note">Validation was switched off by KEDRO_DATASET_VALIDATION.</p>'
    tables = []
    for name, results in expectations.items():
        met = sum(result.is_met for result in results)
        rows = tuple(
            (
                result.column or "table",
                _prose(result.expectation),
                _mark(result),
                _prose(result.detail or "-"),
            )
            for result in results
        )
        caption = f"{name}: {met} of {len(results)} met"
        tables.append(
            Table(
                caption, ("Column", _prose("Expectation"), "Met", _prose("Found")), rows
            ).to_html()
        )
    return "".join(tables)


def _prose(words: str) -> Html:
    """Words in a table of numbers: they wrap and begin on the left."""
    return Html(
        '<div style="white-space:normal;text-align:left;overflow-wrap:anywhere;max-width:34rem">'
        f"{text(words)}</div>"
    )


def _mark(result: ExpectationResult) -> Html:
    return Html('<b class="right">yes</b>' if result.is_met else '<b class="wrong">no</b>')
