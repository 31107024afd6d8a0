"""Time and memory of this process."""

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

import torch


@dataclass(frozen=True)
class Seconds:
    """CPU seconds of the process (all its threads) and seconds on the clock."""

    cpu: float = 0.0
    wall: float = 0.0

    def __add__(self, other: "Seconds") -> "Seconds":
        """Both spans."""
        return Seconds(self.cpu + other.cpu, self.wall + other.wall)

    def __sub__(self, other: "Seconds") -> "Seconds":
        """The span without the other one."""
        return Seconds(self.cpu - other.cpu, self.wall - other.wall)


def now() -> Seconds:
    """The two clocks."""
    return Seconds(time.process_time(), time.perf_counter())


@dataclass
class Stopwatch(AbstractContextManager["Stopwatch"]):
    """Adds up the spans of a ``with`` block."""

    total: Seconds = field(default_factory=Seconds)
    started: Seconds = field(default_factory=Seconds)

    def __enter__(self) -> "Stopwatch":
        """Start."""
        self.started = now()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.total = self.total + (now() - self.started)

    def reset(self) -> Seconds:
        """The sum so far, which starts again at zero."""
        total, self.total = self.total, Seconds()
        return total


@dataclass(frozen=True)
class StepTime:
    """One step and its parts.

    generation: prompts to completions. training: from completions and rewards to gradients.
    update: gradient clipping and the optimizer. Sums of the three are the whole step.
    """

    generation: Seconds
    training: Seconds
    update: Seconds

    @property
    def step(self) -> Seconds:
        """The whole step."""
        return self.generation + self.training + self.update


PARTS = ("generation", "training", "update", "step")


def median_ratio(peer: Sequence[float], own: Sequence[float]) -> float:
    """Median over pairs that ran right after each other of peer divided by own."""
    return statistics.median(a / b for a, b in zip(peer, own, strict=True))


def cpu_seconds(function: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def _status_mb(name: str) -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    line = next(x for x in status.read_text().splitlines() if x.startswith(name))
    return int(line.split()[1]) / 1024


def resident_mb() -> float:
    """Resident memory of this process now, MB; nan where the system hides it (Linux shows it)."""
    return _status_mb("VmRSS")


def peak_resident_mb() -> float:
    """The most resident memory that this process ever had, MB."""
    return _status_mb("VmHWM")


def machine_facts(packages: Sequence[str] = ("torch", "transformers", "trl")) -> str:
    """One line: processor, threads, versions."""
    info = Path("/proc/cpuinfo")
    names = [x for x in info.read_text().splitlines() if "model name" in x] if info.exists() else []
    processor = names[0].split(":")[1].strip() if names else platform.processor()
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{processor}, {torch.get_num_threads()} thread(s), {versions}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as text, the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
