"""Averages over a step, of whatever number of things, over all processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worldtune.engine.runtime.processes import Processes


@dataclass
class Means:
    """Sums and counts by name; ``merged`` divides."""

    sums: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, values: Mapping[str, float], *, count: float = 1) -> None:
        """Add sums over ``count`` things."""
        for name, value in values.items():
            total, number = self.sums.get(name, (0.0, 0.0))
            self.sums[name] = (total + value, number + count)

    def merged(self, processes: Processes) -> dict[str, float]:
        """The means over all processes by name; a name that nobody counted is left out."""
        whole = Means()
        for sums in processes.gather([self.sums]):
            for name, (total, count) in sums.items():
                whole.add({name: total}, count=count)
        return {name: total / count for name, (total, count) in whole.sums.items() if count}
