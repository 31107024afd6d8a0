"""Starts the process of one game, ends it in time and reads what it left behind.

The job travels as JSON on its standard input, the results as lines of JSON in a file that it
inherits (the kernel bounds it), the last words of the interpreter in a pipe that nobody waits for.
"""

import base64
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from worldtune.config.games import GamesConfig
from worldtune.domains.text_game.runner.failures import OUT_OF_MEMORY, Faults, GameFailure
from worldtune.domains.text_game.runner.folder import GameFile
from worldtune.domains.text_game.runner.results import RawRow, read_results

KEY = "text_game.ingest.games"
MAX_RESULT_BYTES = 2 << 30
"""Of one game. All 98,000 transitions of the largest known game take about half."""
LAST_WORDS_BYTES = 4_000
INHERITED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""Of the environment: without these some interpreters do not start. The game sees none of them."""
FLAGS = ("-s", "-S", "-P", "-B")
"""No packages but the standard library, no folder on the path by itself, no bytecode files."""
FULL_STATUS = 3
"""With this the child says that the file of results is full."""

_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class RunningGame:
    """A game whose process has started. last_words: reading end of a pipe from its stderr."""

    game: GameFile
    config: GamesConfig
    process: subprocess.Popen[bytes]
    results: IO[bytes]
    last_words: IO[bytes]
    folder: tempfile.TemporaryDirectory[str]
    deadline: float

    def finish(self) -> Iterator[RawRow | GameFailure]:
        """Wait for the end or the time limit; yield the rows, then the failures."""
        faults = Faults()
        is_late = self._wait()
        self.results.seek(0)
        is_whole = yield from read_results(self.game.name, self.results, faults)
        if is_late:
            limit = f"{self.config.time_limit_s:g} s"
            faults.add("time", f"still running after {limit} ({KEY}.time_limit_s)")
        elif not is_whole:
            self._explain_end(faults)
        yield from faults.failures(self.game.name)

    def kill(self) -> None:
        """End the process if it still runs, and clean up after it."""
        _kill(self.process)
        self.results.close()
        self.last_words.close()
        self.folder.cleanup()

    def _wait(self) -> bool:
        """Wait; whether the process ran out of time."""
        try:
            self.process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _kill(self.process)
            return True
        return self.process.returncode == -signal.SIGXCPU

    def _explain_end(self, faults: Faults) -> None:
        """Say why the process ended before its last line."""
        status = self.process.returncode
        words = self.last_words.read(LAST_WORDS_BYTES).decode("utf-8", errors="replace").strip()
        if status == FULL_STATUS:
            faults.add("protocol", f"gave more than {MAX_RESULT_BYTES // _MEGABYTE} MB of rows")
        elif "MemoryError" in words:
            faults.add("memory", OUT_OF_MEMORY)
        else:
            how = signal.Signals(-status).name if status < 0 else f"status {status}"
            last = f": {words[-200:]!a}" if words else ""
            faults.add("crash", f"its process ended with {how} before it was done{last}")


def start_game(game: GameFile, config: GamesConfig) -> RunningGame:
    """Start the process of a game; its time runs from now on."""
    folder = tempfile.TemporaryDirectory(prefix="text_game_", ignore_cleanup_errors=True)
    results = tempfile.TemporaryFile()
    reading, writing = os.pipe()
    last_words = open(reading, "rb")
    os.set_blocking(writing, False)  # a game that floods it is not stopped by it
    try:
        with tempfile.TemporaryFile() as job:
            job.write(json.dumps(_job(game, config)).encode())
            job.seek(0)
            process = subprocess.Popen(
                [sys.executable, *FLAGS, "-m", "child", *_limits(config), str(results.fileno())],
                stdin=job,
                stdout=subprocess.DEVNULL,
                stderr=writing,
                cwd=folder.name,
                env=_environment(),
                pass_fds=(results.fileno(),),
                start_new_session=True,
            )
    finally:
        os.close(writing)
    deadline = time.monotonic() + config.time_limit_s
    return RunningGame(game, config, process, results, last_words, folder, deadline)


def _job(game: GameFile, config: GamesConfig) -> dict[str, object]:
    seeds = range(config.seeds) if isinstance(config.seeds, int) else config.seeds
    return {
        "game": game.name,
        "source": base64.b64encode(game.source).decode(),
        "gold": game.gold or (),
        "rollouts": config.rollouts,
        "seeds": list(seeds),
        "steps_per_episode": config.steps_per_episode,
        "branch_actions": config.branch_actions,
        "max_depth": config.max_depth,
    }


def _limits(config: GamesConfig) -> tuple[str, str, str]:
    """Memory (bytes), processor time (seconds, above the limit of real time), results (bytes)."""
    cpu_s = math.ceil(config.time_limit_s) + 1
    return str(config.memory_limit_mb * _MEGABYTE), str(cpu_s), str(MAX_RESULT_BYTES)


def _environment() -> dict[str, str]:
    """A fixed order of sets, so that equal seeds give equal rows; nothing of the user's."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**inherited, "PYTHONHASHSEED": "0", "PYTHONPATH": str(Path(__file__).parent)}


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):  # it has just ended by itself
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
