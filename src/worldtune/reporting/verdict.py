"""Sentences made from the numbers, so that no report can claim more than it measured.

A gain counts only if its whole 95 % interval lies on the better side of 0; anything else is said
plainly. The stages (copy, sft, rlvr) are the project's own names, the metrics are the domain's.
"""

from collections.abc import Mapping
from typing import Any

from worldtune.reporting.numbers import (
    Measured,
    label,
    number,
    read_measured,
)

MAIN_SPLIT = "test_iid"
MAIN_GAIN = "rlvr_minus_sft"

_SPLITS = {
    "test_iid": "held-out rows of kinds seen in training",
    "test_unseen": "rows of kinds never seen in training",
}

BETTER, WORSE, SAME, UNKNOWN = "better", "worse", "no measurable difference", "not measured"


def direction(gain: Measured, *, higher_is_better: bool = True) -> str:
    """Whether a gain is better, worse, no measurable difference or (without interval) unknown."""
    if not gain.is_defined or not gain.has_interval:
        return UNKNOWN
    low, high = (gain.low, gain.high) if higher_is_better else (-gain.high, -gain.low)
    if low > 0:
        return BETTER
    return WORSE if high < 0 else SAME


def main_split(splits: Mapping[str, Any]) -> str | None:
    """The split of the headline: test_iid, else the first one, None if there is none."""
    return MAIN_SPLIT if MAIN_SPLIT in splits else next(iter(splits), None)


def split_caption(name: str, count: Any) -> str:
    """A split in words: "test_iid: held-out rows of kinds seen in training (1,412 rows)"."""
    words = f"{name}: {_SPLITS[name]}" if name in _SPLITS else name
    return f"{words} ({count:,} rows)" if isinstance(count, int) else words


def gain_of(split: Mapping[str, Any], metric: str, name: str = MAIN_GAIN) -> Measured:
    """A gain of a split, whether stored for the primary metric alone or for each metric."""
    value = (split.get("gain") or {}).get(name)
    if isinstance(value, Mapping) and "mean" not in value:
        value = value.get(metric)
    return read_measured(value)


def score_of(split: Mapping[str, Any], model: str, metric: str) -> Measured:
    """One metric of one model on a split."""
    return read_measured(((split.get("models") or {}).get(model) or {}).get(metric))


def verdict(evaluation: Mapping[str, Any]) -> str:
    """What RLVR brought over SFT on the main split, in one sentence and its context in a second."""
    splits = evaluation.get("splits") or {}
    name = main_split(splits)
    if name is None:
        return "Nothing was evaluated."
    metric = str(evaluation.get("primary_metric", ""))
    is_up = bool(evaluation.get("higher_is_better", True))
    return (
        f"{_headline(name, splits[name], metric, is_up)} {_context(splits, name, metric)}".strip()
    )


def _headline(name: str, split: Mapping[str, Any], metric: str, is_up: bool) -> str:
    gain = gain_of(split, metric)
    sft, rlvr = score_of(split, "sft", metric), score_of(split, "rlvr", metric)
    where = f"On {name}{_rows(split)}"
    values = f"{label(metric)} {number(rlvr.mean)} against {number(sft.mean)}"
    change = _in_words(gain)
    match direction(gain, higher_is_better=is_up):
        case "better":
            return f"{where}, RLVR beats SFT: {values}, a gain of {change}."
        case "worse":
            return f"{where}, RLVR is worse than SFT: {values}, a difference of {change}."
        case "no measurable difference":
            return (
                f"{where}, RLVR makes no measurable difference to SFT: {values}, "
                f"a difference of {change}."
            )
    if gain.is_defined:
        return f"{where}, {values}: too few rows to say whether RLVR differs from SFT."
    return f"{where}, RLVR and SFT were not compared."


def _context(splits: Mapping[str, Any], name: str, metric: str) -> str:
    parts = []
    copy = score_of(splits[name], "copy", metric)
    if copy.is_defined:
        parts.append(f"predicting no change scores {number(copy.mean)}")
    for other, split in splits.items():
        gain = gain_of(split, metric)
        if other != name and gain.is_defined:
            rlvr, copied = (score_of(split, model, metric) for model in ("rlvr", "copy"))
            beside = f", where no change scores {number(copied.mean)}" if copied.is_defined else ""
            parts.append(
                f"on {other}{beside}, RLVR reaches {number(rlvr.mean)}, {_in_words(gain)} "
                "against SFT"
            )
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def _in_words(gain: Measured) -> str:
    mean, low, high = (number(value, signed=True) for value in (gain.mean, gain.low, gain.high))
    return f"{mean} (95 % interval {low} to {high})" if gain.has_interval else mean


def _rows(split: Mapping[str, Any]) -> str:
    count = split.get("n")
    return f" ({count:,} rows)" if isinstance(count, int) else ""
