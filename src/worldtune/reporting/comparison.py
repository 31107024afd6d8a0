"""Where RLVR pays: comparison.json as Markdown for the docs and as a section of the HTML report.

Several training recipes ("arms") over several seeds, each with the same wall time where it says so.
Both renderings are made from the same tables; the finding in words is made from the numbers alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from worldtune.reporting.charts import interval_strip, shared_range
from worldtune.reporting.finding import finding
from worldtune.reporting.html import Cell, Html, Table, section, text
from worldtune.reporting.metric_names import ALL_ROWS, MetricName, ordered, split_names
from worldtune.reporting.numbers import (
    MISSING,
    duration,
    gain_label,
    label,
    model_label,
    number,
    read_measured,
    to_float,
    with_interval,
)
from worldtune.reporting.results import cell
from worldtune.reporting.verdict import MAIN_GAIN, direction

_DECODINGS = {"greedy": "greedy decoding", "sampled": "sampling at T = 1"}


def render_comparison_markdown(comparison: Mapping[str, Any]) -> str:
    """The comparison as GitHub Markdown: the finding, then tables; no heading of its own."""
    parts = [
        finding(comparison, primary_metric(comparison)),
        _setting(comparison),
        *_notes(comparison),
    ]
    return "\n\n".join(
        [*parts, *(table.to_markdown() for group in _tables(comparison) for table in group)]
    )


def render_comparison_html(comparison: Mapping[str, Any]) -> Html:
    """The comparison as a section for ``html.page``, its gains also drawn."""
    gains, scores = _tables(comparison, is_html=True)
    body = (
        "".join(table.to_html() for table in gains)
        + f'<details class="more-curves"><summary>All {len(scores)} tables of scores</summary>'
        + "".join(table.to_html() for table in scores)
        + "</details>"
    )
    notes = " ".join([_setting(comparison), *_notes(comparison)])
    words = text(finding(comparison, primary_metric(comparison)))
    return section(
        "Where RLVR pays", f'<p class="verdict">{words}</p>{body}', anchor="comparison", lead=notes
    )


def primary_metric(comparison: Mapping[str, Any]) -> str:
    """The metric of the headline: the stated one, else f1 where measured, else the first."""
    stated = comparison.get("primary_metric")
    if isinstance(stated, str):
        return stated
    metrics = [n.metric for n in _names((comparison.get("splits") or {}).values(), "greedy")]
    return "f1" if "f1" in metrics else next(iter(metrics), "")


def _tables(
    comparison: Mapping[str, Any], *, is_html: bool = False
) -> tuple[list[Table], list[Table]]:
    """The tables that carry the finding, and those of all scores."""
    primary = primary_metric(comparison)
    gains: list[Table] = []
    scores: list[Table] = []
    for name, split in (comparison.get("splits") or {}).items():
        count = (comparison.get("n") or {}).get(name)
        rows = f"{name} ({count:,} rows)" if isinstance(count, int) else str(name)
        gains.append(_gain_table(rows, split, primary, comparison, is_html=is_html))
        scores += [
            _score_table(
                f"{rows}, {words}", split.get("arms") or {}, decoding, primary, is_html=is_html
            )
            for decoding, words in _DECODINGS.items()
        ]
    gains.append(_cost_table(comparison))
    return [t for t in gains if t.rows], [t for t in scores if t.rows]


def _names(splits: Any, decoding: str) -> list[MetricName]:
    keys = [
        key
        for split in splits
        for arm in (split.get("arms") or {}).values()
        for key in arm.get(decoding) or {}
    ]
    return split_names(keys)


def _score_table(
    caption: str,
    arms: Mapping[str, Mapping[str, Any]],
    decoding: str,
    primary: str,
    *,
    is_html: bool,
) -> Table:
    """Scores with intervals: one row per group of rows and arm, the primary metric per seed too."""
    names = _names([{"arms": arms}], decoding)
    metrics = ordered((n.metric for n in names), primary)
    keys = {(n.subset, n.metric): n.key for n in names}
    rows: list[tuple[Cell, ...]] = []
    for subset in ordered((n.subset for n in names), ALL_ROWS):
        for arm, decodings in arms.items():
            scores = decodings.get(decoding) or {}
            values = [scores.get(keys.get((subset, metric), "")) for metric in metrics]
            cells = [_cell(value, is_html=is_html) for value in values]
            rows.append((label(subset), model_label(arm), *cells, _per_seed(values[0])))
    header = ("Rows", "Recipe", *map(label, metrics), f"{label(primary)} per seed")
    return Table(f"Scores, {caption}", header, tuple(rows) if metrics else (), num_labels=2)


def _gain_table(
    caption: str,
    split: Mapping[str, Any],
    primary: str,
    comparison: Mapping[str, Any],
    *,
    is_html: bool,
) -> Table:
    """Paired gains: one row per control and group of rows, the control of the headline first."""
    gains = {name: _by_metric(value, primary) for name, value in (split.get("gain") or {}).items()}
    names = split_names(key for values in gains.values() for key in values)
    keys = {(n.subset, n.metric): n.key for n in names}
    metrics = ordered((n.metric for n in names), primary)
    measured = [read_measured(v.get(n.key)) for v in gains.values() for n in names]
    low, high = shared_range(measured, include=0.0)
    is_up = bool(comparison.get("higher_is_better", True))
    rows: list[tuple[Cell, ...]] = []
    for name in ordered(gains, MAIN_GAIN):
        over = gain_label(name).removeprefix(f"{model_label('rlvr')} minus ")
        for subset in ordered((n.subset for n in names), ALL_ROWS):
            values = [gains[name].get(keys.get((subset, metric), "")) for metric in metrics]
            cells = [_cell(value, is_html=is_html, signed=True) for value in values]
            gain = read_measured(values[0])
            if is_html:
                strip = interval_strip(gain, low=low, high=high, reference=0.0, kind="gain")
                cells.insert(1, Html(strip))
            else:
                cells.append(direction(gain, higher_is_better=is_up))
            rows.append((over, label(subset), *cells))
    header = ["RLVR minus", "Rows", *(label(metric) for metric in metrics)]
    if is_html:
        header.insert(3, "0 dashed")
    else:
        header.append(f"Reading of {label(primary)}")
    title = f"Paired gains of RLVR, {caption}, greedy decoding"
    return Table(title, tuple(header), tuple(rows), num_labels=2)


def _cell(value: Any, *, is_html: bool, signed: bool = False) -> Cell:
    measured = read_measured(value)
    return cell(measured, signed=signed) if is_html else with_interval(measured, signed=signed)


def _by_metric(value: Any, primary: str) -> Mapping[str, Any]:
    """A gain per metric; a single estimate is that of the primary metric."""
    if not isinstance(value, Mapping):
        return {}
    return {primary: value} if "mean" in value else value


def _cost_table(comparison: Mapping[str, Any]) -> Table:
    walls = comparison.get("wall_s") or {}
    rows = []
    for arm, seconds in walls.items():
        listed = _listed(seconds)
        mean = sum(listed) / len(listed) if listed else float("nan")
        rows.append((model_label(arm), duration(mean), ", ".join(duration(s) for s in listed)))
    return Table("Wall time of each recipe", ("Recipe", "Mean", "Per seed"), tuple(rows))


def _per_seed(value: Any) -> str:
    listed = _listed(value.get("per_seed")) if isinstance(value, Mapping) else []
    return ", ".join(number(x) for x in listed) or MISSING


def _listed(value: Any) -> list[float]:
    return [to_float(x) for x in value] if isinstance(value, list | tuple) else []


def _setting(comparison: Mapping[str, Any]) -> str:
    seeds: Sequence[Any] = comparison.get("seeds") or []
    words = f"{len(seeds)} training seeds ({', '.join(map(str, seeds))})" if seeds else "No seeds"
    return (
        f"{words}; means over rows and seeds with 95 % bootstrap intervals over rows. SFT, equal "
        "time: SFT continued for as long as RLVR took. SFT + threshold: predicted lines below a "
        "confidence tuned on validation rows are left out."
    )


def _notes(comparison: Mapping[str, Any]) -> list[str]:
    notes = []
    thresholds = _listed((comparison.get("threshold") or {}).get("per_seed"))
    if thresholds:
        listed = ", ".join(number(x) for x in thresholds)
        notes.append(f"The confidence thresholds found: {listed}.")
    if comparison.get("note"):
        notes.append(str(comparison["note"]))
    return notes
