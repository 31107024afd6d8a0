"""One plain sentence on where RLVR pays, derived from the numbers of a comparison.

Clauses, each only where it was measured: against more SFT, on which rows, by precision or recall,
and against SFT with a confidence threshold, which is the strongest control. A sentence of its own
says how far RLVR gets from few demonstrations.
"""

from collections.abc import Mapping
from typing import Any

from worldtune.reporting.metric_names import ALL_ROWS, split_names
from worldtune.reporting.numbers import Measured, label, read_measured, with_interval
from worldtune.reporting.verdict import BETTER, SAME, UNKNOWN, WORSE, direction, main_split

LONGER, THRESHOLD, START = "rlvr_minus_sft_longer", "rlvr_minus_sft_threshold", "rlvr_minus_sft"

_AGAINST_TIME = {
    BETTER: "RLVR beats SFT continued for the same wall time",
    WORSE: "RLVR falls behind SFT continued for the same wall time",
    SAME: "RLVR makes no measurable difference to SFT continued for the same wall time",
}
_AGAINST_START = {
    BETTER: "RLVR beats the SFT model that it started from",
    WORSE: "RLVR falls behind the SFT model that it started from",
    SAME: "RLVR makes no measurable difference to the SFT model that it started from",
}
_AGAINST_THRESHOLD = {
    BETTER: "it also beats SFT with a confidence threshold tuned on validation rows",
    WORSE: "SFT with a confidence threshold tuned on validation rows is better still",
    SAME: "SFT with a confidence threshold tuned on validation rows does as well",
}

_AGAINST_ALL = {
    BETTER: "RLVR beats even SFT on the true outcomes of all training rows",
    WORSE: "RLVR falls behind SFT on the true outcomes of all training rows",
    SAME: "RLVR makes no measurable difference to SFT on the true outcomes of all training rows",
}
_FEW_CONTROLS = {
    "rlvr_few_minus_sft_few": _AGAINST_START,
    "rlvr_few_minus_sft_few_longer": _AGAINST_TIME,
    "rlvr_few_minus_sft": _AGAINST_ALL,
}


def finding(comparison: Mapping[str, Any], primary: str) -> str:
    """The sentence; says so if nothing was compared. ``primary`` names the headline metric."""
    gains = _main_gains(comparison)
    is_up = bool(comparison.get("higher_is_better", True))
    control = next((c for c in (LONGER, START) if _direct(gains, c, primary, is_up)), None)
    if control is None:
        return "RLVR was not compared with SFT."
    sentences = _AGAINST_TIME if control == LONGER else _AGAINST_START
    reading = direction(_gain(gains, control, primary), higher_is_better=is_up)
    change = with_interval(_gain(gains, control, primary), signed=True)
    clauses = [f"{_where(comparison)}, {sentences[reading]}: {label(primary)} {change}"]
    clauses += _by_group(_estimates(gains, control), primary)
    clauses += _by_part(_estimates(gains, control), primary)
    threshold = _direct(gains, THRESHOLD, primary, is_up)
    if threshold:
        change = with_interval(_gain(gains, THRESHOLD, primary), signed=True)
        clauses.append(f"{_AGAINST_THRESHOLD[threshold]} (RLVR minus it: {change})")
    return "; ".join(clauses) + "."


def few_finding(few: Mapping[str, Any], primary: str) -> str:
    """The sentence on few demonstrations; ``few`` has the shape of a comparison, with settings."""
    gains, is_up = _main_gains(few), bool(few.get("higher_is_better", True))
    clauses = []
    for control, sentences in _FEW_CONTROLS.items():
        reading = _direct(gains, control, primary, is_up)
        if reading:
            change = with_interval(_gain(gains, control, primary), signed=True)
            clauses.append(f"{sentences[reading]}, {label(primary)} {change}")
    if not clauses:
        return "RLVR after few demonstrations was not compared with SFT."
    rows = (few.get("settings") or {}).get("rows")
    shown = f" after {rows:,} demonstrations" if isinstance(rows, int) else ""
    return f"{_where(few)}{shown}: {'; '.join(clauses)}."


def _main_gains(comparison: Mapping[str, Any]) -> Mapping[str, Any]:
    """The gains on the split of the headline."""
    splits = comparison.get("splits") or {}
    name = main_split(splits)
    return (splits[name].get("gain") or {}) if name is not None else {}


def _where(comparison: Mapping[str, Any]) -> str:
    """The split of the headline and what was averaged, as the start of a sentence."""
    seeds = len(comparison.get("seeds") or [])
    over = f", {seeds} seeds" if seeds else ""
    return f"On {main_split(comparison.get('splits') or {})} (all rows, greedy{over})"


def _direct(gains: Mapping[str, Any], name: str, primary: str, is_up: bool) -> str:
    """The reading of a gain on all rows, empty if it cannot be read."""
    reading = direction(_gain(gains, name, primary), higher_is_better=is_up)
    return "" if reading == UNKNOWN else reading


def _estimates(gains: Mapping[str, Any], name: str) -> dict[tuple[str, str], Measured]:
    """(metric, subset) to the gain of a control."""
    values = gains.get(name)
    if not isinstance(values, Mapping) or "mean" in values:
        return {}
    return {(n.metric, n.subset): read_measured(values[n.key]) for n in split_names(values)}


def _gain(gains: Mapping[str, Any], name: str, primary: str) -> Measured:
    value = gains.get(name)
    if isinstance(value, Mapping) and "mean" in value:
        return read_measured(value)
    return _estimates(gains, name).get((primary, ALL_ROWS), Measured(float("nan")))


def _by_group(estimates: Mapping[tuple[str, str], Measured], primary: str) -> list[str]:
    """The gain on each group of rows, in the order in which they were measured."""
    groups = [
        f"{subset} rows {with_interval(gain, signed=True)}"
        for (metric, subset), gain in estimates.items()
        if metric == primary and subset != ALL_ROWS and gain.is_defined
    ]
    return [f"by group of rows, {', '.join(groups)}"] if groups else []


def _by_part(estimates: Mapping[tuple[str, str], Measured], primary: str) -> list[str]:
    """Precision and recall apart, where the domain has them."""
    parts = [
        f"{part} {with_interval(estimates[part, ALL_ROWS], signed=True)}"
        for part in ("precision", "recall")
        if part != primary and (part, ALL_ROWS) in estimates
    ]
    return [f"on all rows, {' and '.join(parts)}"] if parts else []
