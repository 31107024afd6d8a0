"""Training processes that die at a chosen moment.

``Nursery`` is a process that has imported what training needs; every run is a fork of it, so that
dozens of them can be started and killed in a minute. A run dies by SIGKILL: from outside at any
time, or by its own hand before its n-th file operation in the folder or halfway through its n-th
write. ``python -m tests.crashes`` is the nursery itself.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

_OPERATIONS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"}


class Nursery:
    """Starts runs of ``target`` ("module:function", called with the folder)."""

    def __init__(self, target: str, *needed: str, hash_seed: int = 0) -> None:
        """Import the target, and what it imports late, in a process of its own.

        ``hash_seed`` orders the sets of its runs.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crashes", target, *needed],
            cwd=Path(__file__).resolve().parent.parent,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "HF_HUB_OFFLINE": "1",
                "PYTHONHASHSEED": str(hash_seed),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, folder: Path, **death: int | str) -> int:
        """Start a run; returns its process id. See ``_Death`` for ``death``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), "death": death}) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def wait(self) -> bool:
        """Whether the run that was started last ended well; False if it was killed."""
        status = int(self._answer())
        assert status in {0, signal.SIGKILL}, f"the run failed with {status}: see its output file"
        return status == 0

    def run(self, folder: Path, **death: int | str) -> bool:
        """Start a run and wait for its end."""
        self.start(folder, **death)
        return self.wait()

    def close(self) -> None:
        """End the nursery."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _no_fsync(number: int) -> None:
    """What a killed process has written is not lost, only what a machine without power has."""


class _Death:
    """Kills this process before its ``operation``-th file operation or in its ``write``-th write.

    Counting starts at 1; 0 is never. Operations are those on paths below the folder that contain
    ``part``. What a run that lived did is counted in ``counts.json`` beside its folder.
    """

    def __init__(self, folder: Path, *, operation: int = 0, write: int = 0, part: str = "") -> None:
        self.folder, self.part = str(folder), part
        self.operation, self.write = operation, write
        self.operations = self.writes = 0
        self._write = os.write
        os.write = self._counted_write
        os.fsync = _no_fsync
        sys.addaudithook(self._count)

    def _count(self, event: str, arguments: tuple[Any, ...]) -> None:
        path = str(arguments[0]) if arguments else ""
        if event not in _OPERATIONS or self.folder not in path or self.part not in path:
            return
        reads = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not reads:
            self.operations += 1
            if self.operations == self.operation:
                os.kill(os.getpid(), signal.SIGKILL)

    def _counted_write(self, number: int, content: bytes | memoryview) -> int:
        self.writes += 1
        if self.writes == self.write:
            self._write(number, content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return self._write(number, content)

    def report(self) -> None:
        counts = {"operations": self.operations, "writes": self.writes}
        Path(f"{self.folder}.counts.json").write_text(json.dumps(counts))


def counts_of(folder: Path) -> dict[str, int]:
    """How many file operations and writes a run did that was not killed."""
    counts: dict[str, int] = json.loads(Path(f"{folder}.counts.json").read_text())
    return counts


def output_of(folder: Path) -> str:
    """What all runs in a folder have printed."""
    return Path(f"{folder}.out").read_text()


def _live(target: str, folder: Path, death: dict[str, Any]) -> int:
    """Be a run; returns its status."""
    with open(f"{folder}.out", "ab") as output:
        os.dup2(output.fileno(), 1)  # the nursery's answers are its alone
        os.dup2(output.fileno(), 2)
    module, _, function = target.partition(":")
    watched = _Death(folder, **death)
    try:
        getattr(importlib.import_module(module), function)(folder)
    except BaseException:
        traceback.print_exc()
        return 1
    watched.report()
    return 0


def _nurse(target: str, *needed: str) -> None:
    for name in (target.partition(":")[0], *needed):
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_live(target, Path(order["folder"]), order["death"]))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _nurse(*sys.argv[1:])
