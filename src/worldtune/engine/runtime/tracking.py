"""What a run leaves behind while it goes on: a log per step, and a line of progress.

``metrics.jsonl`` holds what the run computed, ``timings.jsonl`` how long it took: the first is a
function of the specification and the same to the byte however often the run was interrupted.
"""

import hashlib
import json
import logging
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from worldtune.engine.runtime import durable

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 15.0


def write_json(path: Path, value: Any) -> None:
    """Write JSON under a temporary name, then rename: never half-written."""
    text = json.dumps(value, indent=2, sort_keys=True) + "\n"
    durable.replace_file(path, text.encode())


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The records of a JSONL file; lines that an interrupted run left unreadable are left out."""
    content = path.read_bytes() if path.exists() else b""
    return [record for _, record in _whole_lines(content)]


def _whole_lines(content: bytes) -> list[tuple[bytes, dict[str, Any]]]:
    """Lines that end and can be read, with what they say."""
    found = []
    for line in content.split(b"\n")[:-1]:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append((line + b"\n", record))
    return found


def read_curve(folder: Path) -> list[dict[str, Any]]:
    """The metrics of every step of a run, its times under ``timing`` where they are known."""
    timings: dict[Any, dict[str, Any]] = {}
    for line in read_jsonl(folder / "timings.jsonl"):
        timings[line.pop("step", None)] = line
    metrics = read_jsonl(folder / "metrics.jsonl")
    return [{**line, "timing": timings.get(line.get("step"), {})} for line in metrics]


class StepLog:
    """One JSON object per step, written at once: a killed process leaves whole lines.

    Keys are sorted, floats have as many digits as tell them apart, and a number that is not finite
    is null, so that the file is valid JSON and a function of the values alone.
    """

    def __init__(self, path: Path, *, first_step: int) -> None:
        """Open the log; lines from ``first_step`` on (of an interrupted run) are dropped."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        lines = _whole_lines(content)
        kept = b"".join(line for line, record in lines if record.get("step", 0) < first_step)
        if kept != content:
            durable.replace_file(path, kept)
        self._digest = hashlib.sha256(kept)
        self._file = path.open("ab", buffering=0)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append a step."""
        known = {name: _finite(values[name]) for name in sorted(values)}
        line = json.dumps({"step": step, **known}, allow_nan=False).encode() + b"\n"
        durable.write_all(self._file.fileno(), memoryview(line))
        self._digest.update(line)

    def sync(self) -> str:
        """Bring all lines to the disk; returns the sha256 of the file."""
        os.fsync(self._file.fileno())
        return self.sha256

    @property
    def sha256(self) -> str:
        """Of all lines that were kept or written."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _finite(value: float) -> float | None:
    number = value if isinstance(value, int) else float(value)
    return number if math.isfinite(number) else None


class Progress:
    """A bar on a terminal, a plain log line every few seconds elsewhere, nothing where INFO is off.

    The rate and the time left count the steps of this process, not those of an interrupted one.
    """

    def __init__(self, label: str, *, total: int, done: int = 0) -> None:
        """``done`` of ``total`` steps were done before."""
        self.label, self.total, self.done, self._first = label, total, done, done
        self._start = self._last_line = time.monotonic()
        on_terminal = sys.stderr.isatty() and logger.isEnabledFor(logging.INFO)
        self._bar = (
            tqdm(total=total, initial=done, desc=label, dynamic_ncols=True) if on_terminal else None
        )

    def advance(self, values: Mapping[str, float], *, count: int = 1) -> None:
        """Count steps as done and show the newest values."""
        self.done += count
        shown = {key: f"{value:.4g}" for key, value in values.items()}
        if self._bar is not None:
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES or self.done == self.total:
            self._last_line = time.monotonic()
            text = "  ".join(f"{key} {value}" for key, value in shown.items())
            logger.info("%s %d/%d  %s%s", self.label, self.done, self.total, text, self._left())

    def _left(self) -> str:
        """The time that the other steps will take, as text; empty at the end."""
        per_step = (time.monotonic() - self._start) / max(1, self.done - self._first)
        seconds = per_step * (self.total - self.done)
        return f"  {seconds / 60:.0f} min left" if seconds >= 30 else ""

    def close(self) -> None:
        """Finish the line."""
        if self._bar is not None:
            self._bar.close()
