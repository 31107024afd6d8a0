"""The machine, and the processes that share the work."""

from typing import Literal, Self

from pydantic import model_validator

from worldtune.config.base import Config, PositiveInt


class ComputeConfig(Config):
    """The machine."""

    threads: PositiveInt = 2
    device: Literal["auto", "cpu", "cuda"] = "auto"


class LaunchConfig(Config):
    """Processes of a training run; more than one are started by torch.distributed.run."""

    processes: PositiveInt = 1
    """Processes per node: one per GPU, or CPU processes that talk through gloo."""
    nodes: PositiveInt = 1
    """Machines that share the run folder; each but the first joins by ``worldtune.launch``."""
    rdzv: str = ""
    """host:port of the first node, where the others meet it; needed for more than one."""
    mixed_precision: Literal["no", "bf16"] = "no"
    """bf16 computes under autocast; weights, optimiser and log-probabilities stay float32."""
    fsdp: bool = False
    """Shard weights, gradients and optimiser state over the processes (FSDP2)."""
    timeout_s: PositiveInt = 1800
    """A process that waits longer than this for the others stops the run with an error."""

    @model_validator(mode="after")
    def _check_nodes(self) -> Self:
        if self.nodes > 1 and not self.rdzv:
            raise ValueError("launch.nodes is more than 1: set launch.rdzv to its host:port")
        if self.fsdp and self.processes * self.nodes == 1:
            raise ValueError("launch.fsdp needs more than one process")
        return self

    @property
    def world_size(self) -> int:
        """Processes over all nodes."""
        return self.processes * self.nodes
