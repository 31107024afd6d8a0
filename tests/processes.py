"""Kedro as a user runs it: in a process of its own, offline, from the folder of the project."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def kedro_command(*args: str) -> list[str]:
    """The command line of ``kedro ARGS`` with this interpreter."""
    return [sys.executable, "-m", "kedro", *args]


def kedro_environment(data_root: Path | None = None) -> dict[str, str]:
    """The environment of a Kedro process; ``data_root`` moves what it reads and writes."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    if data_root is not None:
        environment["WORLDTUNE_DATA_ROOT"] = str(data_root)
    return environment


def run_kedro(
    *args: str, data_root: Path | None = None, timeout_s: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run ``kedro ARGS`` and return its output and status, whatever the status is."""
    return subprocess.run(
        kedro_command(*args),
        cwd=PROJECT,
        env=kedro_environment(data_root),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
