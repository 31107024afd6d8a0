"""The report of one run: what was trained on what, how it went, how good it is, and examples.

Input is plain data (the evaluation file, the metric logs, finished example fragments), output one
HTML string. The report knows stages and models of the project but no domain: metrics, groups of
rows and splits are found in the evaluation.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from worldtune.reporting.charts import bars
from worldtune.reporting.comparison import render_comparison_html
from worldtune.reporting.curves import Curve, render_curves
from worldtune.reporting.groups import group_name, render_groups
from worldtune.reporting.html import definitions, page, section, text
from worldtune.reporting.numbers import (
    Measured,
    duration,
    ends,
    label,
    model_label,
    number,
    to_float,
)
from worldtune.reporting.results import model_class, render_results
from worldtune.reporting.verdict import gain_of, main_split, score_of, verdict

NUM_OPEN_EXAMPLES = 2
_LONG_INTEGER = 10_000

_SIGNS = (
    '<span class="r"><b>&#10003;</b> predicted and true</span>'
    '<span class="w"><b>&#10007;</b> predicted but not true</span>'
    "<span><b>&#9675;</b> true but not predicted</span>"
)


def render_run_report(
    evaluation: Mapping[str, Any],
    *,
    curves: Mapping[str, Curve],
    examples: Sequence[str],
    facts: Mapping[str, Any],
    comparison: Mapping[str, Any] | None = None,
) -> str:
    """Write the whole report as one self-contained HTML document.

    Args:
        evaluation: as in evaluation.json; missing models, metrics or intervals read "n/a".
        curves: stage ("sft", "rlvr") to its metrics.jsonl records, in order; may be empty.
        examples: trusted HTML fragments, one ``<details class="example">`` each, made by the
            domain's view. They are inserted as they are.
        facts: what was trained on what; a nested mapping becomes a card of its own.
        comparison: as in comparison.json, shown as a section where given.

    Returns:
        The document, with no reference to anything outside it.
    """
    domain = str(evaluation.get("domain", ""))
    title = f"{label(domain)} world model: SFT, then RLVR"
    shown = _examples(examples, uncertain=evaluation.get("uncertain_subset"))
    parts = [
        _header(title, evaluation),
        section("Results", render_results(evaluation), anchor="results", lead=_RESULTS_LEAD),
        section("What was trained on what", _facts(evaluation, facts), anchor="setup"),
        section("Training", _training(curves), anchor="training", lead=_TRAINING_LEAD),
        section("Held-out examples", shown, anchor="examples", lead=_EXAMPLES_LEAD),
    ]
    names = ["Results", "Setup", "Training", "Examples"]
    if comparison is not None:
        parts.insert(2, render_comparison_html(comparison))
        names.insert(1, "Comparison")
    groups = render_groups(evaluation)
    if groups:
        heading = f"By {group_name(evaluation)}, and by whether something changes"
        parts.insert(2, section(heading, groups, anchor="groups", lead=_GROUPS_LEAD))
        names.insert(1, "Groups")
    footer = "<footer>Written by worldtune. This file is complete: it loads nothing.</footer>"
    menu = [(name.lower(), name) for name in names]
    return page(title, "\n".join([*parts, footer]), navigation=menu)


_RESULTS_LEAD = (
    "Mean over held-out rows with its 95 % bootstrap interval; greedy decoding unless said "
    "otherwise. Copy predicts that nothing changes. The best primary score of each group is bold."
)
_GROUPS_LEAD = (
    "Greedy decoding. An answer that names any change, right or wrong, says that something changes."
)
_TRAINING_LEAD = "Bold lines are smoothed, the faint ones behind are what was logged at each step."
_EXAMPLES_LEAD = "None of these rows was seen in training. Predictions are greedy."


def _header(title: str, evaluation: Mapping[str, Any]) -> str:
    return (
        f'<header><p class="eyebrow">worldtune run report</p><h1>{text(title)}</h1>'
        f'<p class="verdict">{text(verdict(evaluation))}</p>{_tiles(evaluation)}</header>'
    )


def _tiles(evaluation: Mapping[str, Any]) -> str:
    splits = evaluation.get("splits") or {}
    name = main_split(splits)
    if name is None:
        return ""
    metric = str(evaluation.get("primary_metric", ""))
    models = splits[name].get("models") or {}
    tiles = [
        _tile(model_class(m), model_label(m), score_of(splits[name], m, metric)) for m in models
    ]
    tiles.append(_tile("gain", "Gain of RLVR over SFT", gain_of(splits[name], metric), signed=True))
    return (
        f'<div class="tiles">{"".join(tiles)}</div>'
        f'<p class="note">{text(label(metric))} on {text(name)}, all rows, greedy decoding.</p>'
    )


def _tile(kind: str, name: str, value: Measured, *, signed: bool = False) -> str:
    return (
        f'<div class="tile {kind}"><span class="name">{text(name)}</span>'
        f'<span class="value">{text(number(value.mean, signed=signed))}</span>'
        f'<span class="ci">{text(ends(value, signed=signed))}</span></div>'
    )


def _facts(evaluation: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    plain = [(label(k), _fact(v)) for k, v in facts.items() if not isinstance(v, Mapping)]
    groups = [("Run", plain)] if plain else []
    groups += [
        (label(name), [(label(str(k)), _fact(v)) for k, v in value.items()])
        for name, value in facts.items()
        if isinstance(value, Mapping)
    ]
    cards = "".join(
        f'<div class="fact"><h4>{text(name)}</h4>{definitions(pairs)}</div>'
        for name, pairs in groups
    )
    wall = [
        (model_label(stage), to_float(seconds), duration(to_float(seconds)))
        for stage, seconds in (evaluation.get("wall_s") or {}).items()
    ]
    return f'<div class="facts">{cards}{bars("Wall time", wall)}</div>'


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= _LONG_INTEGER else str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_fact(item) for item in value)
    return "n/a" if value is None else str(value)


def _training(curves: Mapping[str, Curve]) -> str:
    parts = [
        f"<h3>{text(model_label(stage))}</h3>{render_curves(stage, curve)}"
        for stage, curve in curves.items()
    ]
    return "".join(parts) or '<p class="nothing">No curves were recorded.</p>'


def _examples(examples: Sequence[str], *, uncertain: str | None) -> str:
    if not examples:
        return '<p class="nothing">No examples were kept.</p>'
    opened = [
        re.sub(r"^\s*<details\b", "<details open", fragment) if i < NUM_OPEN_EXAMPLES else fragment
        for i, fragment in enumerate(examples)
    ]
    return (
        f'{_signs(uncertain)}<div data-examples><div class="filters" role="group" '
        f'aria-label="Show examples"></div>{"".join(opened)}</div>'
    )


def _signs(uncertain: str | None) -> str:
    """What the marks of the examples mean; ``uncertain`` is the domain's word for its badge."""
    badge = (
        f'<span><span class="badge">{text(uncertain)}</span> true, but the input does not '
        "determine it</span>"
        if uncertain
        else ""
    )
    return f'<p class="signs">{_SIGNS}{badge}</p>'
