"""The tables of a comparison: paired gains, wall times, and all scores.

Made from one section of comparison.json (arms and gains by split); which arm the gains are those of
is read from their names.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from worldtune.reporting.charts import interval_strip, shared_range
from worldtune.reporting.html import Cell, Html, Table
from worldtune.reporting.metric_names import ALL_ROWS, MetricName, ordered, split_names
from worldtune.reporting.numbers import (
    MISSING,
    duration,
    gain_label,
    label,
    listed,
    model_label,
    number,
    read_measured,
    with_interval,
)
from worldtune.reporting.results import cell
from worldtune.reporting.verdict import MAIN_GAIN, direction

_DECODINGS = {"greedy": "greedy decoding", "sampled": "sampling at T = 1"}


def primary_metric(comparison: Mapping[str, Any]) -> str:
    """The metric of the headline: the stated one, else f1 where measured, else the first."""
    stated = comparison.get("primary_metric")
    if isinstance(stated, str):
        return stated
    metrics = [n.metric for n in _names((comparison.get("splits") or {}).values(), "greedy")]
    return "f1" if "f1" in metrics else next(iter(metrics), "")


def comparison_tables(
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
    subject = _subject(gains)
    rows: list[tuple[Cell, ...]] = []
    for name in ordered(gains, MAIN_GAIN):
        over = gain_label(name).removeprefix(f"{subject} minus ")
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
    header = [f"{subject} minus", "Rows", *(label(metric) for metric in metrics)]
    if is_html:
        header.insert(3, "0 dashed")
    else:
        header.append(f"Reading of {label(primary)}")
    title = f"Paired gains of {subject}, {caption}, greedy decoding"
    return Table(title, tuple(header), tuple(rows), num_labels=2)


def _subject(gains: Iterable[str]) -> str:
    """The arm that was measured against the others, by its full name."""
    return model_label(next(iter(gains), "rlvr").partition("_minus_")[0])


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
        by_seed = listed(seconds)
        mean = sum(by_seed) / len(by_seed) if by_seed else float("nan")
        rows.append((model_label(arm), duration(mean), ", ".join(map(duration, by_seed))))
    return Table("Wall time of each recipe", ("Recipe", "Mean", "Per seed"), tuple(rows))


def _per_seed(value: Any) -> str:
    by_seed = listed(value.get("per_seed")) if isinstance(value, Mapping) else []
    return ", ".join(map(number, by_seed)) or MISSING
