"""Start the processes of a training run and wait for them. Knows no Kedro.

One process trains in the caller. More are started by ``torch.distributed.run`` on the worker
module, below a supervisor of their own, so that the caller keeps its signal handlers, its memory
and its GPUs. The console shows the first process; what the others print is in ``logs/`` of the run
folder. When one fails, all are stopped and its traceback is the error that the caller gets; when
the caller ends, in whatever way, so do they.

Several machines share the folder: the first runs the caller, each other one joins by
``python -m worldtune.launch FOLDER --node-rank N``.
"""

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worldtune import worker
from worldtune.config import LaunchConfig
from worldtune.engine.runtime.lifetime import end_with_parent
from worldtune.engine.runtime.tracking import write_json
from worldtune.errors import UserError

_STOP_S = 45.0
"""Longer than the 30 s after which the supervisor kills workers that do not stop when asked."""


class LaunchError(UserError):
    """A training process failed; the message names it and holds its traceback."""


def run(folder: Path) -> dict[str, Any]:
    """Train a run folder on as many processes as its specification asks for.

    Returns:
        What ``worker.run`` returns.

    Raises:
        LaunchError: One of several processes failed.
        ValueError: Settings or data cannot be trained on (one process).
    """
    if worker.read_spec(folder).launch.world_size == 1:
        return worker.run(folder)
    supervise(folder, node_rank=0)
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def supervise(folder: Path, *, node_rank: int) -> None:
    """Run this machine's processes to their end. Raises LaunchError where one fails."""
    spec = worker.read_spec(folder)
    failure = folder / f"failure-{node_rank}.json"
    failure.unlink(missing_ok=True)
    command = [sys.executable, "-m", "worldtune.launch", str(folder), "--node-rank", str(node_rank)]
    # Of its own session: Ctrl-C reaches the caller alone, which then stops the others in order.
    process = subprocess.Popen([*command, "--supervisor"], start_new_session=True)
    try:
        status = process.wait()
    finally:
        _stop(process)
    if status:
        raise LaunchError(_explain(failure, status, spec.launch.world_size))


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _explain(failure: Path, status: int, world_size: int) -> str:
    """The failure that the supervisor noted, in words."""
    if not failure.exists():
        return f"the processes ended with status {status} and noted no error; see the lines above"
    noted: Mapping[str, Any] = json.loads(failure.read_text(encoding="utf-8"))
    return f"process {noted['rank']} of {world_size} failed: {noted['error']}\n{noted['traceback']}"


def _arguments(folder: Path, config: LaunchConfig, node_rank: int) -> list[str]:
    """The command line of torch.distributed.run."""
    others = ",".join(f"{rank}:3" for rank in range(1, config.processes))
    meeting = ["--standalone", "--local-addr", "127.0.0.1"]
    if config.nodes > 1:
        # Not c10d, which ranks the nodes by arrival: the first machine's folder is the run's.
        meeting = [
            *("--rdzv-backend", "static", "--rdzv-endpoint", config.rdzv),
            *("--rdzv-conf", f"timeout={config.timeout_s}"),
            *("--nnodes", str(config.nodes), "--node-rank", str(node_rank)),
        ]
    return [
        *meeting,
        *("--nproc-per-node", str(config.processes)),
        *("--log-dir", str(folder / "logs" / f"node-{node_rank}")),
        *(("--redirects", others) if others else ()),
        *("-m", "worldtune.worker", str(folder)),
    ]


def _run_supervisor(folder: Path, node_rank: int) -> None:
    """Be the supervisor: torch.distributed.run, with a failing process's error in a file."""
    end_with_parent(signal.SIGTERM)
    spec = worker.read_spec(folder)
    shutil.rmtree(folder / "logs" / f"node-{node_rank}", ignore_errors=True)
    logging.disable(logging.ERROR)  # what went wrong is told by the launcher, once
    from torch.distributed.elastic.multiprocessing.api import SignalException  # noqa: PLC0415
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # noqa: PLC0415
    from torch.distributed.run import main as run_processes  # noqa: PLC0415

    from worldtune.engine.runtime.compute import threads_per_process  # noqa: PLC0415

    threads = threads_per_process(spec.compute, spec.launch.processes)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    try:
        run_processes(_arguments(folder, spec.launch, node_rank))
    except SignalException as stopped:
        sys.exit(128 + stopped.sigval)
    except ChildFailedError as error:
        rank, first = error.get_first_failure()
        details = first.error_file_data["message"]
        is_noted = isinstance(details, dict)
        noted = {
            "rank": rank,
            "error": details["message"] if is_noted else first.message,
            "traceback": details["extraInfo"]["py_callstack"] if is_noted else "",
        }
        write_json(folder / f"failure-{node_rank}.json", noted)
        sys.exit(1)


def main() -> None:
    """Command line: train the run folder that is named, or join its training from this machine."""
    parser = argparse.ArgumentParser(description="Train a worldtune run folder on many processes.")
    parser.add_argument("folder", type=Path, help="holds spec.json and inputs/")
    parser.add_argument("--node-rank", type=int, default=0, help="0: the first machine")
    parser.add_argument("--supervisor", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.supervisor:
        _run_supervisor(options.folder, options.node_rank)
        return
    worker.show_log(logging.INFO)
    try:
        if options.node_rank:
            supervise(options.folder, node_rank=options.node_rank)
        else:
            run(options.folder)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
