"""Processes that train one policy together, and what they have to tell each other.

Whole groups stay on one process, so that their prompt is shared there and no reward travels. What
travels is small and said out loud: counts before the backward pass (a loss is divided by the tokens
of all processes, never by its own), the sum of the gradients once per update, and records for the
log. There are no hooks in the backward pass (as in DistributedDataParallel): a process that has
nothing to learn from in a step would leave the others waiting for it.

One process needs nothing of this: every method then returns at once.
"""

import heapq
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, nn

from worldtune.config import LaunchConfig
from worldtune.errors import UserError

Record = TypeVar("Record")

_CPU = torch.device("cpu")
_ECHO_S = 10.0
"""A process that loses the others waits so long: the one that failed shall be reported first."""


@dataclass(frozen=True)
class Processes:
    """This process among ``world_size`` that all make the same calls in the same order.

    Attributes:
        rank: 0 to world_size - 1; 0 is the main one, which writes the files of the run.
        world_size: number of processes over all machines.
        device: where tensors must be to travel: cpu for gloo, the process's GPU for nccl.
    """

    rank: int = 0
    world_size: int = 1
    device: torch.device = _CPU

    @classmethod
    def single(cls) -> "Processes":
        """One process, which talks to nobody."""
        return cls()

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.rank == 0

    def share(self, costs: Sequence[int]) -> list[list[int]]:
        """Deal items out so that the processes get about equal work.

        Longest processing time first (Graham, 1969): within 4/3 of the best possible. A function of
        the costs alone, so that every process computes the same shares without a word.

        Args:
            costs: of each item (a whole group), in tokens.

        Returns:
            For every rank the indices of its items, ascending; empty where items are too few.
        """
        shares: list[list[int]] = [[] for _ in range(self.world_size)]
        loads = [(0, rank) for rank in range(self.world_size)]
        for index in sorted(range(len(costs)), key=lambda i: (-costs[i], i)):
            load, rank = loads[0]
            heapq.heapreplace(loads, (load + costs[index], rank))
            shares[rank].append(index)
        return [sorted(share) for share in shares]

    def sum(self, values: Tensor) -> Tensor:
        """Sum over processes: float64 on the CPU, the shape of ``values``, the same on all."""
        total = values.detach().to(device=self.device, dtype=torch.float64, copy=True)
        if self.world_size > 1:
            with self._talking():
                torch.distributed.all_reduce(total)
        return total.cpu()

    def max(self, value: int) -> int:
        """The largest value of any process."""
        if self.world_size == 1:
            return value
        largest = torch.tensor(value, device=self.device)
        with self._talking():
            torch.distributed.all_reduce(largest, op=torch.distributed.ReduceOp.MAX)
        return int(largest)

    def gather(self, records: Sequence[Record]) -> list[Record]:
        """The records of all processes on every one of them, those of lower ranks first.

        Records travel as JSON, never as pickles: plain numbers, texts, lists and dicts.
        """
        if self.world_size == 1:
            return list(records)
        own = torch.frombuffer(bytearray(json.dumps(list(records)).encode()), dtype=torch.uint8)
        longest = self.max(len(own))
        # Blanks after a JSON text mean nothing, so the texts need no lengths beside them.
        padded = torch.full((longest,), ord(" "), dtype=torch.uint8)
        padded[: len(own)] = own
        texts = [torch.empty_like(padded, device=self.device) for _ in range(self.world_size)]
        with self._talking():
            torch.distributed.all_gather(texts, padded.to(self.device))
        return [record for text in texts for record in json.loads(bytes(text.tolist()))]

    @torch.no_grad()
    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over processes, in one message per dtype.

        Every process calls this once per update, also one without groups: a missing gradient counts
        as zeros. One that is missing everywhere stays missing, as it would in a single process.
        """
        if self.world_size == 1:
            return
        buckets: dict[torch.dtype, list[nn.Parameter]] = defaultdict(list)
        for parameter in parameters:
            # Sharded ones (DTensor) were added up in the backward pass.
            if parameter.requires_grad and not hasattr(parameter, "full_tensor"):
                buckets[parameter.dtype].append(parameter)
        for bucket in buckets.values():
            self._sum_bucket(bucket)

    def _sum_bucket(self, parameters: Sequence[nn.Parameter]) -> None:
        first = parameters[0]
        present = first.new_tensor([float(p.grad is not None) for p in parameters])
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([present, *(gradient.flatten() for gradient in gradients)])
        with self._talking():
            torch.distributed.all_reduce(flat)
        sums = flat[len(parameters) :].split([p.numel() for p in parameters])
        for parameter, count, total in zip(
            parameters, flat[: len(parameters)].tolist(), sums, strict=True
        ):
            # Views of the bucket: nothing is copied back.
            parameter.grad = total.view_as(parameter) if count else None

    @torch.no_grad()
    def copy_from_main(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the main process, so that all start from the same."""
        if self.world_size == 1:
            return
        with self._talking():
            for tensor in tensors:
                torch.distributed.broadcast(tensor.detach(), src=0)

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if self.world_size > 1:
            with self._talking():
                torch.distributed.barrier()

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Tell a lost connection, the echo of a failure elsewhere, from a failure of our own."""
        try:
            yield
        except RuntimeError as error:
            time.sleep(_ECHO_S)
            raise RuntimeError(
                f"process {self.rank} of {self.world_size} lost the others: one of them stopped or "
                f"took longer than launch.timeout_s ({error})"
            ) from error


@contextmanager
def joined(config: LaunchConfig, device: torch.device) -> Iterator[Processes]:
    """Join the other processes of a launch; leaves them at the end of the block.

    Raises UserError where other processes were started than ``launch`` asks for: results and time
    would be those of another run.
    """
    found = int(os.environ.get("WORLD_SIZE", "1"))
    if found != config.world_size:
        raise UserError(
            f"launch.processes x launch.nodes is {config.world_size} but the world size is {found}"
            ": start the run folder with `python -m worldtune.launch FOLDER`, which starts them all"
        )
    if found == 1:
        yield Processes.single()
        return
    from accelerate import PartialState  # noqa: PLC0415 - a single process needs none of it

    state = PartialState(cpu=device.type == "cpu", timeout=timedelta(seconds=config.timeout_s))
    if state.num_processes != found:
        raise RuntimeError(f"{found} processes were started but {state.num_processes} joined")
    processes = Processes(state.process_index, state.num_processes, device)
    yield processes
    processes.barrier()  # none leaves while another may still wait for it
    state.destroy_process_group()
