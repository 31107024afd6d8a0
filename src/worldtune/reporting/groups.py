"""Where a model is right: each group of rows apart, and who sees that something changes at all.

The groups are the domain's (the sites, the games), by the word that the evaluation gives for them.
"""

from collections.abc import Mapping
from typing import Any

from worldtune.reporting.charts import interval_strip, shared_range
from worldtune.reporting.html import Cell, Html, Table
from worldtune.reporting.metric_names import ordered
from worldtune.reporting.numbers import (
    MISSING,
    gain_label,
    label,
    model_label,
    number,
    read_measured,
)
from worldtune.reporting.results import cell, model_name
from worldtune.reporting.verdict import MAIN_GAIN, gain_of, split_caption

MAX_GROUPS = 100
"""Groups shown of a split, the largest; real web pages come from any number of sites."""

_MODELS = ("sft", "rlvr", "copy")


def render_groups(evaluation: Mapping[str, Any]) -> Html:
    """Both tables of every split as HTML; empty where the evaluation has neither."""
    tables = [
        table
        for name, split in (evaluation.get("splits") or {}).items()
        for table in (_group_table(name, split, evaluation), _confusion_table(name, split))
    ]
    return Html("".join(table.to_html() for table in tables if table.rows))


def group_name(evaluation: Mapping[str, Any]) -> str:
    """The domain's word for a group of rows."""
    return str(evaluation.get("group_name") or "group")


def _group_table(name: str, split: Mapping[str, Any], evaluation: Mapping[str, Any]) -> Table:
    """The primary metric: one row per group, one column per model, and the gain of RLVR."""
    primary = str(evaluation.get("primary_metric", ""))
    word = group_name(evaluation)
    groups = _largest(split.get("groups") or {})
    found = {model for group in groups.values() for model in group.get("models") or {}}
    models = [*(m for m in _MODELS if m in found), *sorted(found - set(_MODELS))]
    gains = {group: gain_of(values, primary) for group, values in groups.items()}
    low, high = shared_range(gains.values(), include=0.0)
    rows: list[tuple[Cell, ...]] = []
    for group, values in groups.items():
        means = [((values.get("models") or {}).get(m) or {}).get(primary) for m in models]
        gain = gains[group]
        strip = interval_strip(gain, low=low, high=high, reference=0.0, kind="gain")
        scores = (number(read_measured(mean).mean) for mean in means)
        rows.append((group, *scores, _count(values.get("n")), cell(gain, signed=True), Html(strip)))
    total = len(split.get("groups") or {})
    which = f", the {MAX_GROUPS} largest of {total:,}" if total > MAX_GROUPS else ""
    caption = f"{label(primary)} by {word}{which}, {split_caption(name, split.get('n'))}"
    header = (label(word), *map(model_label, models), "Rows", gain_label(MAIN_GAIN), "0 dashed")
    return Table(caption, header, tuple(rows))


def _largest(groups: Mapping[str, Any]) -> dict[str, Any]:
    """At most ``MAX_GROUPS`` groups, sorted by name."""
    by_size = sorted(groups, key=lambda group: -(groups[group].get("n") or 0))
    return {group: groups[group] for group in sorted(by_size[:MAX_GROUPS])}


def _confusion_table(name: str, split: Mapping[str, Any]) -> Table:
    """What is true, then by model what was said, in rows and in shares of what is true."""
    models = split.get("confusion") or {}
    truths = ordered((truth for by_truth in models.values() for truth in by_truth), "changed")
    sayings = list(
        dict.fromkeys(said for m in models.values() for counts in m.values() for said in counts)
    )
    rows: list[tuple[Cell, ...]] = []
    for truth in truths:
        for model, by_truth in models.items():
            counts = by_truth.get(truth) or {}
            cells = (_share(counts.get(said), sum(counts.values())) for said in sayings)
            rows.append((label(truth), model_name(model), *cells))
    caption = f"Whether something changes: what is true and what was said, {name}"
    header = ("Truth", "Model", *(f"Said: {said}" for said in sayings))
    return Table(caption, header, tuple(rows), num_labels=2)


def _share(count: Any, total: int) -> Html:
    share = f'<span class="ci">{100 * count / total:.1f} %</span>' if count and total else ""
    return Html(f"{_count(count)}{share}")


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else MISSING
