"""Order in a flat list of metric names: decoding, metric and subset of rows, found generically.

Reports get names such as "f1", "f1_hidden" or "sampled_f1" and must lay them out as tables without
knowing the domain. A name that contains another as whole words belongs to it: what stands before is
how the answer was decoded, what stands after is the group of rows that was scored.
"""

from collections.abc import Iterable
from dataclasses import dataclass

ALL_ROWS = "all"
GREEDY = "greedy"


@dataclass(frozen=True)
class MetricName:
    """A metric name taken apart, e.g. key "sampled_f1_hidden": sampled, f1, hidden."""

    key: str
    decoding: str
    metric: str
    subset: str


def split_names(keys: Iterable[str]) -> list[MetricName]:
    """Take every name apart, in the given order; names that contain no other are metrics."""
    names = list(dict.fromkeys(keys))
    # A suffix "_all" is the long way to write the metric itself.
    stems = {key.removesuffix(f"_{ALL_ROWS}") for key in names}
    return [_split(key, stems) for key in names]


def _split(key: str, stems: set[str]) -> MetricName:
    padded = f"_{key}_"
    inside = [stem for stem in stems if f"_{stem}_" in padded]
    metric = min(inside, key=lambda stem: (len(stem), stem))
    before, _, after = padded.partition(f"_{metric}_")
    return MetricName(key, before.strip("_") or GREEDY, metric, after.strip("_") or ALL_ROWS)


def ordered(values: Iterable[str], first: str) -> list[str]:
    """Distinct values in order of appearance, with ``first`` in front if it occurs."""
    distinct = list(dict.fromkeys(values))
    return sorted(distinct, key=lambda value: value != first)


def find(names: Iterable[MetricName], *, decoding: str, metric: str, subset: str) -> str | None:
    """The key of one combination, None if it was not measured."""
    wanted = (decoding, metric, subset)
    return next((n.key for n in names if (n.decoding, n.metric, n.subset) == wanted), None)
