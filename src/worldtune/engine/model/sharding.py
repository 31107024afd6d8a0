"""Weights, gradients and optimiser state dealt out over the processes (FSDP2).

Every process keeps one shard of each tensor. A layer's weights are gathered while the layer runs
and its gradients are added up, not averaged, and dealt out as soon as they are there; so all
processes must make the same passes at the same time, and one that has fewer makes empty ones.
Rollouts, whose number of steps nobody knows beforehand, run on weights that are gathered once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from worldtune.engine.model.path import unwrapped
from worldtune.engine.runtime.processes import Processes
from worldtune.errors import UserError

Result = TypeVar("Result")

_ALIVE: list["Shards"] = []
"""All that were made, until the process ends: gloo's threads touch their buffers after the last
message, and collecting one has crashed them."""


class _Root(nn.Module):
    """A pass as a module: what is outside the layers (embeddings, output layer) is whole in it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, work: Callable[[], Result]) -> Result:
        """Do the work of a pass."""
        return work()


class Shards:
    """A model whose weights are dealt out; made once, before its optimiser."""

    def __init__(self, model: nn.Module, processes: Processes) -> None:
        """Deal the weights out. Raises UserError for a model that names no repeated layers."""
        from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415
        from torch.distributed.fsdp import fully_shard  # noqa: PLC0415 - slow import

        _ALIVE.append(self)
        self.processes = processes
        repeated = set(unwrapped(model)._no_split_modules or ())
        layers = [m for m in model.modules() if type(m).__name__ in repeated]
        if not layers:
            raise UserError(
                f"launch.fsdp: {type(unwrapped(model)).__name__} names no layers to shard by; set "
                "launch.fsdp to false"
            )
        mesh = init_device_mesh(processes.device.type, (processes.world_size,))
        self._root: Any = _Root(model)
        self._modules: list[Any] = [fully_shard(layer, mesh=mesh) for layer in layers]
        self._modules.append(fully_shard(self._root, mesh=mesh))
        for module in self._modules:
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo cannot scale while it adds
        with torch.no_grad():
            self.run(lambda: None)  # the root must be the first that is called

    def run(self, work: Callable[[], Result]) -> Result:
        """The forward half of one pass, which all processes make together."""
        result: Result = self._root(work)
        if not torch.is_grad_enabled():
            self._root.reshard()  # which the backward half does otherwise
        return result

    def empty_passes(self, own: int) -> int:
        """How many passes this process must add to its own to make as many as the others."""
        return self.processes.max(own) - own

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """All weights whole, without gradients: processes need not keep pace in the block."""
        for module in self._modules:
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()
        with torch.no_grad():
            yield
        for module in self._modules:
            module.reshard()
            module.set_reshard_after_forward(module is not self._root, recurse=False)


@torch.no_grad()
def gather_weights(model: nn.Module) -> None:
    """Replace sharded parameters by whole ones on the CPU, for good; all processes take part."""
    whole: dict[nn.Parameter, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not hasattr(parameter, "full_tensor"):
                continue
            if parameter not in whole:  # tied weights stay tied
                whole[parameter] = nn.Parameter(
                    parameter.full_tensor().cpu(), requires_grad=parameter.requires_grad
                )
            setattr(module, name, whole[parameter])
