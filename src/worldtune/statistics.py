"""Bootstrap intervals of means: how sure a reported number is, given the rows behind it.

Every published score is a mean over rows, so rows are what is resampled (percentile bootstrap,
Efron 1979). A gain between two models is the mean of the per-row differences on the same rows
("paired"), far tighter than the difference of two separate intervals. Rows are taken as
independent, and the spread between training seeds is left out. All float64 and seeded: the same
seed, number of rows and number of resamples draw the same rows, whatever the values.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
"""Coverage of every interval of the project; the keys in the reports are called ci95."""

MIN_ROWS = 2
"""One row has no spread to resample, so its interval is undefined rather than infinitely tight."""

_CELLS_PER_CHUNK = 1 << 19
"""Resampled rows drawn at a time: bounds the memory at a few megabytes."""


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval, in the unit of the values.

    No rows: all three are NaN. One row: its value, with NaN for both ends. Comparisons with NaN are
    false, so an undefined interval never counts as lying above or below anything.
    """

    mean: float
    low: float
    high: float

    def as_json(self) -> dict[str, object]:
        """The form of the reports: ``{"mean": x, "ci95": [low, high]}``, None where undefined."""
        ends = [None if math.isnan(end) else end for end in (self.low, self.high)]
        return {"mean": None if math.isnan(self.mean) else self.mean, "ci95": ends}


def interval(values: ArrayLike, *, num_resamples: int = 2000, seed: int = 0) -> Estimate:
    """Mean of the values with its bootstrap interval.

    Args:
        values: [rows], finite, any unit.
        num_resamples: bootstrap samples, at least 1; each draws as many rows as there are.
        seed: of the resampling, so that the same table always prints the same interval.

    Raises:
        ValueError: values that are not one list of finite numbers, or num_resamples below 1.
    """
    return intervals({"values": values}, num_resamples=num_resamples, seed=seed)["values"]


def paired_gain(
    better: ArrayLike, baseline: ArrayLike, *, num_resamples: int = 2000, seed: int = 0
) -> Estimate:
    """Mean of ``better - baseline`` over rows that both models answered, with its interval.

    Both are [rows] in the same row order. Raises ValueError where the lengths differ, and as
    ``interval`` does.
    """
    first, second = _as_column("better", better), _as_column("baseline", baseline)
    if len(first) != len(second):
        raise ValueError(
            f"a paired gain needs the same rows on both sides, found {len(first)} and {len(second)}"
        )
    return interval(first - second, num_resamples=num_resamples, seed=seed)


def intervals(
    columns: Mapping[str, ArrayLike], *, num_resamples: int = 2000, seed: int = 0
) -> dict[str, Estimate]:
    """``interval`` of many metrics measured on the same rows, resampling the rows once for all.

    Each column is [rows]; a column gets the same answer here as alone (up to rounding in the last
    digits). Raises ValueError as ``interval`` does, and where columns differ in length.
    """
    if num_resamples < 1:
        raise ValueError(f"num_resamples must be at least 1, found {num_resamples}")
    arrays = {name: _as_column(name, values) for name, values in columns.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"all columns must have the same number of rows, found {lengths}")
    if not arrays:
        return {}
    table = np.stack(list(arrays.values()), axis=1)
    if len(table) < MIN_ROWS:
        means = table[0] if len(table) else np.full(table.shape[1], np.nan)
        return {
            name: Estimate(float(mean), math.nan, math.nan)
            for name, mean in zip(arrays, means, strict=True)
        }
    tail = 100 * (1 - CONFIDENCE) / 2
    resampled = _resampled_means(table, num_resamples=num_resamples, seed=seed)
    lows, highs = np.percentile(resampled, [tail, 100 - tail], axis=0)
    means = table.mean(axis=0)
    return {
        name: Estimate(float(means[i]), float(lows[i]), float(highs[i]))
        for i, name in enumerate(arrays)
    }


def _resampled_means(
    table: NDArray[np.float64], *, num_resamples: int, seed: int
) -> NDArray[np.float64]:
    """Means of bootstrap samples: [num_resamples, metrics] from a table [rows, metrics].

    How often each row was drawn is counted first, so that all metrics of a sample are one matrix
    product instead of one gather each.
    """
    num_rows, num_metrics = table.shape
    rng = np.random.default_rng(seed)
    # Centring keeps a constant column exactly constant, whatever the order of the sums.
    centre = table.mean(axis=0)
    centred = table - centre
    means = np.empty((num_resamples, num_metrics))
    chunk = max(1, _CELLS_PER_CHUNK // num_rows)
    for start in range(0, num_resamples, chunk):
        size = min(chunk, num_resamples - start)
        drawn = rng.integers(0, num_rows, size=(size, num_rows))
        drawn += np.arange(size)[:, None] * num_rows
        counts = np.bincount(drawn.ravel(), minlength=size * num_rows).reshape(size, num_rows)
        means[start : start + size] = centre + counts.astype(np.float64) @ centred / num_rows
    return means


def _as_column(name: str, values: ArrayLike | Sequence[float]) -> NDArray[np.float64]:
    """One metric as [rows] float64, refused if it is not a flat list of finite numbers."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one number per row, found shape {array.shape}")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise ValueError(
            f"{name} holds {bad} values that are not finite; leave out rows without a value"
        )
    return array
