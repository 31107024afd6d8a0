"""The tables of an evaluation: scores by group of rows and model, gains, other ways to decode.

Nothing here knows a metric by name: the primary one is stated in the evaluation, the others and the
groups of rows are found in the names that were measured.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from worldtune.reporting.charts import interval_strip, shared_range
from worldtune.reporting.html import Cell, Html, Table, text
from worldtune.reporting.metric_names import (
    ALL_ROWS,
    GREEDY,
    MetricName,
    find,
    ordered,
    split_names,
)
from worldtune.reporting.numbers import (
    Measured,
    ends,
    gain_label,
    label,
    model_label,
    number,
    read_measured,
)
from worldtune.reporting.verdict import MAIN_GAIN, direction, gain_of, split_caption


def render_results(evaluation: Mapping[str, Any]) -> Html:
    """Gains first, then the scores of every split, as HTML tables."""
    tables = [_gain_table(evaluation)]
    for name, split in (evaluation.get("splits") or {}).items():
        tables += _split_tables(name, split, evaluation)
    return Html("".join(table.to_html() for table in tables if table.rows))


def model_class(name: str) -> str:
    """The class that gives a model its colour: "model-sft"."""
    return "model-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _gain_table(evaluation: Mapping[str, Any]) -> Table:
    metric = str(evaluation.get("primary_metric", ""))
    is_up = bool(evaluation.get("higher_is_better", True))
    splits = evaluation.get("splits") or {}
    rows: list[tuple[Cell, ...]] = []
    for name in ordered((key for s in splits.values() for key in s.get("gain") or {}), MAIN_GAIN):
        gains = {key: gain_of(split, metric, name) for key, split in splits.items()}
        # An axis for each gain: that over copying would flatten the small ones.
        low, high = shared_range(gains.values(), include=0.0)
        for key, gain in gains.items():
            strip = interval_strip(gain, low=low, high=high, reference=0.0, kind="gain")
            reading = direction(gain, higher_is_better=is_up)
            rows.append((gain_label(name), key, cell(gain, signed=True), Html(strip), reading))
    header = ("Gain", "Split", label(metric), "95 % interval, 0 dashed", "Reading")
    return Table(
        f"Gains in {label(metric)}, each measured on the same rows",
        header,
        tuple(rows),
        num_labels=2,
    )


def _split_tables(
    name: str, split: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> list[Table]:
    models = split.get("models") or {}
    names = split_names(key for scores in models.values() for key in scores)
    primary = str(evaluation.get("primary_metric", ""))
    caption = split_caption(name, split.get("n"))
    tables = [_group_table(f"{caption}, greedy", models, names, evaluation)]
    decodings = ordered((n.decoding for n in names if n.subset == ALL_ROWS), GREEDY)
    if len(decodings) > 1:
        columns = [
            find(names, decoding=decoding, metric=primary, subset=ALL_ROWS) or ""
            for decoding in decodings
        ]
        cells = tuple(
            (model_name(m), *(cell(read_measured(scores.get(key))) for key in columns))
            for m, scores in models.items()
        )
        header = ("Model", *(f"{label(primary)}, {label(d).lower()}" for d in decodings))
        tables.append(Table(f"{name}, decoded in other ways", header, cells))
    return tables


def _group_table(
    caption: str,
    models: Mapping[str, Mapping[str, Any]],
    names: Sequence[MetricName],
    evaluation: Mapping[str, Any],
) -> Table:
    """One row per group of rows and model, one column per metric, the primary one also drawn."""
    primary = str(evaluation.get("primary_metric", ""))
    is_up = bool(evaluation.get("higher_is_better", True))
    greedy = [n for n in names if n.decoding == GREEDY]
    metrics = ordered((n.metric for n in greedy), primary)
    keys = [n.key for n in greedy if n.metric == primary]
    low, high = shared_range(read_measured(s.get(key)) for s in models.values() for key in keys)
    rows: list[tuple[Cell, ...]] = []
    for subset in ordered((n.subset for n in greedy), ALL_ROWS):
        columns = [find(greedy, decoding=GREEDY, metric=m, subset=subset) or "" for m in metrics]
        scores = {m: [read_measured(s.get(key)) for key in columns] for m, s in models.items()}
        best = _best([values[0].mean for values in scores.values()], is_up) if metrics else None
        for model, values in scores.items():
            strip = interval_strip(values[0], low=low, high=high, kind=model_class(model))
            first = cell(values[0], is_best=values[0].mean == best)
            others = [cell(value) for value in values[1:]]
            rows.append((label(subset), model_name(model), first, Html(strip), *others))
    header = ("Rows", "Model", *(label(m) for m in metrics))
    if metrics:
        header = (*header[:3], "95 % interval", *header[3:])
    return Table(caption, header, tuple(rows) if metrics else (), num_labels=2)


def _best(means: Sequence[float], is_up: bool) -> float | None:
    known = [mean for mean in means if math.isfinite(mean)]
    return (max(known) if is_up else min(known)) if known else None


def cell(value: Measured, *, signed: bool = False, is_best: bool = False) -> Html:
    """A mean with its interval in small print beside it."""
    mean = text(number(value.mean, signed=signed))
    shown = f'<b class="best">{mean}</b>' if is_best else mean
    limits = ends(value, signed=signed)
    return Html(f'{shown}<span class="ci">{text(limits)}</span>' if limits else shown)


def model_name(name: str) -> Html:
    """A model by its name, in its colour."""
    return Html(f'<span class="key-model {model_class(name)}">{text(model_label(name))}</span>')
