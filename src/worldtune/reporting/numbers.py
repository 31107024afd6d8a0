"""How numbers and names look in reports: one place, so that tables, charts and sentences agree.

Plain ASCII text; undefined values (None, NaN, wrong type) read "n/a" and never raise, because a
report about a broken run must still be written.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MISSING = "n/a"
_ACRONYMS = {"f1", "mse", "psnr", "ssim", "lpips", "sft", "rlvr", "kl", "em", "rouge"}
_NAMES = {
    "copy": "Copy",
    "sft": "SFT",
    "sft_longer": "SFT, equal time",
    "sft_threshold": "SFT + threshold",
    "rlvr": "RLVR",
    "sft_few": "SFT on few",
    "sft_few_longer": "SFT on few, equal time",
    "rlvr_few": "RLVR after few",
}
_MINUTE_S = 60
_HOUR_S = 3600


@dataclass(frozen=True)
class Measured:
    """A mean with the ends of its 95 % interval; NaN where undefined."""

    mean: float
    low: float = math.nan
    high: float = math.nan

    @property
    def is_defined(self) -> bool:
        """Whether there is a mean at all."""
        return math.isfinite(self.mean)

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def read_measured(value: Any) -> Measured:
    """Read ``{"mean": x, "ci95": [low, high]}``; whatever is missing or odd becomes NaN."""
    if not isinstance(value, Mapping):
        return Measured(to_float(value))
    ends = value.get("ci95")
    low, high = ends if isinstance(ends, list | tuple) and len(ends) == 2 else (None, None)
    return Measured(to_float(value.get("mean")), to_float(low), to_float(high))


def to_float(value: Any) -> float:
    """The value as a finite float, NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if math.isfinite(value) else math.nan


def listed(value: Any) -> list[float]:
    """A list of numbers, NaN for what is none; empty for anything that is not a list."""
    return [to_float(x) for x in value] if isinstance(value, list | tuple) else []


ROUNDING_NOISE = 1e-12


def number(value: float, *, signed: bool = False) -> str:
    """Three decimals near 1, fewer above, more below: 0.652, 25.31, 1,204, 3.2e-05."""
    if not math.isfinite(value):
        return MISSING
    # Differences of equal sums leave rounding noise, which is no small number but none.
    value = 0.0 if abs(value) < ROUNDING_NOISE else value
    size = abs(value)
    if size >= 100:
        text = f"{value:,.0f}"
    elif size >= 10:
        text = f"{value:.2f}"
    elif size >= 0.001 or size == 0:
        text = f"{value:.3f}"
    else:
        text = f"{value:.2g}"
    return f"+{text}" if signed and value >= 0 else text


def ends(measured: Measured, *, signed: bool = False) -> str:
    """The interval alone: "[0.631, 0.673]", empty if undefined."""
    if not measured.has_interval:
        return ""
    return f"[{number(measured.low, signed=signed)}, {number(measured.high, signed=signed)}]"


def with_interval(measured: Measured, *, signed: bool = False) -> str:
    """The mean and its interval: "0.652 [0.631, 0.673]"."""
    return f"{number(measured.mean, signed=signed)} {ends(measured, signed=signed)}".strip()


def duration(seconds: float) -> str:
    """Wall time for people: "42 s", "5 min 07 s", "2 h 03 min"."""
    if not math.isfinite(seconds):
        return MISSING
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def label(name: str) -> str:
    """A key as a heading: "best_of_n_f1" -> "Best of n F1"."""
    words = [w.upper() if w.lower() in _ACRONYMS else w for w in name.replace("/", "_").split("_")]
    text = " ".join(words).strip()
    return text[:1].upper() + text[1:]


def model_label(name: str) -> str:
    """A model or arm of a comparison by its full name."""
    return _NAMES.get(name, label(name))


def gain_label(name: str) -> str:
    """A gain by its two sides: "rlvr_minus_sft" -> "RLVR minus SFT"."""
    first, _, second = name.partition("_minus_")
    return f"{model_label(first)} minus {model_label(second)}" if second else model_label(name)
