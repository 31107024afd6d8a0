"""Two real processes that talk through gloo, ready to be asked for more than one thing."""

import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from worldtune.config import LaunchConfig
from worldtune.engine.runtime.processes import Processes, joined

_here: dict[str, Processes] = {}
_stack = ExitStack()


def _join(rank: int, world_size: int, port: int) -> None:
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size}
    numbers |= {"LOCAL_WORLD_SIZE": world_size, "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    os.environ |= {name: str(value) for name, value in numbers.items()}
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    torch.set_num_threads(1)
    launch = LaunchConfig(processes=world_size, timeout_s=60)
    _here["processes"] = _stack.enter_context(joined(launch, torch.device("cpu")))


def _call(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return function(_here["processes"], *args)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Pair:
    """Calls a function of a module in all processes: ``function(processes, *args)``."""

    def __init__(self, pools: list[ProcessPoolExecutor]) -> None:
        self._pools = pools

    def __call__(self, function: Callable[..., Any], *args: Any) -> list[Any]:
        """What every process returns, by rank."""
        waiting = [pool.submit(_call, function, args) for pool in self._pools]
        return [one.result(timeout=120) for one in waiting]


@contextmanager
def pair(world_size: int = 2) -> Iterator[Pair]:
    """Processes that have joined each other."""
    context, port = multiprocessing.get_context("spawn"), free_port()
    pools = [
        ProcessPoolExecutor(1, context, initializer=_join, initargs=(rank, world_size, port))
        for rank in range(world_size)
    ]
    try:
        yield Pair(pools)
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)
