"""The tiny chain of a domain as one function."""

import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.processes import run_kedro


@dataclass(frozen=True)
class FinishedRun:
    """What the smoke tests look at: the files, the output, the processor seconds."""

    domain: str
    root: Path
    result: subprocess.CompletedProcess[str]
    cpu_s: float

    def folder(self, layer: str) -> Path:
        """The domain's folder in a layer of the data, such as ``08_reporting``."""
        return self.root / layer / self.domain


def run_chain(root: Path, *arguments: str, domain: str = "web") -> FinishedRun:
    """Run the tiny chain with everything written under ``root``; fails unless it ends well."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = run_kedro("run", "--env=test", f"--pipeline=rlvr_{domain}", *arguments, data_root=root)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return FinishedRun(domain, root, result, cpu_s)
