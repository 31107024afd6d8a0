"""What a run leaves behind while it goes on: metrics.jsonl, and a line of progress."""

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 15.0


def write_json(path: Path, value: Any) -> None:
    """Write JSON under a temporary name, then rename: never half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(fresh, path)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a JSONL file; a line cut off by an interrupted run is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


class MetricsLog:
    """One JSON object per step, appended and flushed: a killed run loses at most one line."""

    def __init__(self, path: Path, *, first_step: int) -> None:
        """Open the log; lines from ``first_step`` on (of an interrupted run) are dropped."""
        kept = [line for line in read_jsonl(path) if line["step"] < first_step]
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        os.replace(fresh, path)
        self._file = path.open("a", encoding="utf-8")

    def write(self, values: Mapping[str, Any]) -> None:
        """Append one step."""
        self._file.write(json.dumps(values) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Progress:
    """A bar on a terminal, a plain log line every few seconds elsewhere."""

    def __init__(self, label: str, *, total: int, done: int = 0) -> None:
        self.label, self.total, self.done = label, total, done
        self._last_line = time.monotonic()
        on_terminal = sys.stderr.isatty() and logger.isEnabledFor(logging.INFO)
        self._bar = tqdm(total=total, initial=done, desc=label) if on_terminal else None

    def advance(self, values: Mapping[str, float], *, count: int = 1) -> None:
        """Count steps as done and show the newest values."""
        self.done += count
        shown = {key: f"{value:.4g}" for key, value in values.items()}
        if self._bar is not None:
            self._bar.update(count)
            self._bar.set_postfix(shown)
        elif time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES or self.done == self.total:
            self._last_line = time.monotonic()
            text = "  ".join(f"{key} {value}" for key, value in shown.items())
            logger.info("%s %d/%d  %s", self.label, self.done, self.total, text)

    def close(self) -> None:
        """Finish the line."""
        if self._bar is not None:
            self._bar.close()
