"""Training curves of a run: which of the logged numbers are drawn together, and under what title.

The keys are those of the engine's ``metrics.jsonl``; rewards' parts and validation metrics are
whatever the domain named them. A key that no panel claims is drawn further down, so that nothing
that was logged is lost.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worldtune.reporting.charts import Series, line_chart
from worldtune.reporting.html import Html, text
from worldtune.reporting.numbers import label, to_float

Curve = Sequence[Mapping[str, Any]]
_X_KEYS = {"step"}


@dataclass(frozen=True)
class _Panel:
    """One chart: exact keys, or all keys that start with ``prefix`` and are not claimed before."""

    title: str
    keys: tuple[str, ...] = ()
    prefix: str = ""
    is_log: bool = False
    is_smoothed: bool = True


_PANELS = {
    "sft": (
        _Panel("Loss per answer token (nats)", ("loss",), is_log=True),
        _Panel("Validation", prefix="val/", is_smoothed=False),
    ),
    "rlvr": (
        _Panel("Reward", ("reward/mean",)),
        _Panel("Validation", prefix="val/", is_smoothed=False),
        _Panel("Spread of the reward", ("reward/std",)),
        _Panel("Parts of the reward", prefix="reward/"),
        _Panel("KL to SFT (nats per token)", ("kl",)),
        _Panel("Entropy (nats per token)", ("entropy",)),
        _Panel("Share of clipped updates", ("clip_fraction",)),
        _Panel("Length of completions (tokens)", ("completion/length",)),
        _Panel("Groups without reward spread", ("zero_variance_groups",)),
        _Panel("Unreadable answers", ("parse_failure_rate",)),
    ),
}
_IN_SECOND_LINE = {"Spread of the reward"}


def render_curves(stage: str, curve: Curve) -> Html:
    """All charts of a stage; numbers without a panel of their own follow in a closed part."""
    if not curve:
        return Html('<p class="nothing">No curve was recorded for this stage.</p>')
    columns = _columns(curve)
    left = [key for key in columns if key not in _X_KEYS]
    main: list[str] = []
    extra: list[str] = []
    for panel in _PANELS.get(stage, ()):
        keys = [key for key in left if key in panel.keys or _has_prefix(key, panel.prefix)]
        left = [key for key in left if key not in keys]
        if keys:
            chart = _chart(panel, columns, keys)
            (extra if panel.title in _IN_SECOND_LINE else main).append(chart)
    extra += [_chart(_Panel(label(key)), columns, [key]) for key in left]
    return Html(f'<div class="charts">{"".join(main)}</div>{_more(extra)}')


def _columns(curve: Curve) -> dict[str, list[tuple[float, float]]]:
    """Every numeric key as (step, value) points; nested records are flattened with a slash."""
    columns: dict[str, list[tuple[float, float]]] = {}
    for i, record in enumerate(curve):
        step = to_float(record.get("step"))
        x = step if math.isfinite(step) else float(i)
        for key, value in _flat(record):
            if math.isfinite(to_float(value)):
                columns.setdefault(key, []).append((x, float(value)))
    return columns


def _flat(record: Mapping[str, Any]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in record.items():
        if isinstance(value, Mapping):
            pairs += [(f"{key}/{inner}", v) for inner, v in value.items()]
        else:
            pairs.append((key, value))
    return pairs


def _has_prefix(key: str, prefix: str) -> bool:
    return bool(prefix) and key.startswith(prefix)


def _chart(
    panel: _Panel, columns: Mapping[str, Sequence[tuple[float, float]]], keys: Sequence[str]
) -> str:
    series = [
        Series(
            _series_name(key, panel) if len(keys) > 1 or panel.prefix else "",
            tuple(columns[key]),
            colour,
            panel.is_smoothed,
        )
        for colour, key in enumerate(keys)
    ]
    return line_chart(panel.title, series, x_label="step", is_log=panel.is_log)


def _series_name(key: str, panel: _Panel) -> str:
    return label(key.removeprefix(panel.prefix))


def _more(charts: Sequence[str]) -> str:
    if not charts:
        return ""
    return (
        '<details class="more-curves"><summary>'
        f"{text(f'{len(charts)} more curves')}</summary>"
        f'<div class="charts">{"".join(charts)}</div></details>'
    )
