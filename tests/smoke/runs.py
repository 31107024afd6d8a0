"""The tiny chain of the web domain as one function."""

import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.processes import run_kedro


@dataclass(frozen=True)
class FinishedRun:
    """What the smoke tests look at: the files, the output, the processor seconds."""

    root: Path
    result: subprocess.CompletedProcess[str]
    cpu_s: float


def run_chain(root: Path, *arguments: str) -> FinishedRun:
    """Run the tiny chain with everything written under ``root``; fails unless it ends well."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = run_kedro("run", "--env=test", "--pipeline=rlvr_web", *arguments, data_root=root)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return FinishedRun(root, result, cpu_s)
