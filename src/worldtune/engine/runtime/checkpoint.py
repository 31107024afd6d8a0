"""Resumable training state: weights and optimiser tensors in safetensors, everything else in JSON.

A state folder appears under its final name only when it is whole, and names the sha256 of its
tensors. On resume the newest folder whose hash holds is taken; a damaged one is reported and the
one before it used.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

logger = logging.getLogger(__name__)

_KEPT = 2
"""The newest state, and the one before it in case the newest is damaged."""


def sha256_file(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class TrainingState:
    """What a loop needs to go on after ``step`` finished steps."""

    step: int
    tensors: Mapping[str, Tensor]
    extra: Mapping[str, Any]


def _optimizer_tensors(optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    return {
        f"optimizer.{i}.{parameter}.{name}": torch.as_tensor(value)
        for i, optimizer in enumerate(optimizers)
        for parameter, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def save_state(
    folder: Path,
    *,
    step: int,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    extra: Mapping[str, Any],
) -> None:
    """Store the state after ``step`` steps and drop all but the newest ones."""
    trained = {f"model.{n}": p.detach() for n, p in model.named_parameters() if p.requires_grad}
    tensors = {n: t.contiguous() for n, t in (trained | _optimizer_tensors(optimizers)).items()}
    fresh = folder / f".step-{step:08d}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(tensors, fresh / "state.safetensors")
    digest = sha256_file(fresh / "state.safetensors")
    record = {"step": step, "sha256": digest, "extra": dict(extra)}
    (fresh / "state.json").write_text(json.dumps(record), encoding="utf-8")
    final = folder / f"step-{step:08d}"
    shutil.rmtree(final, ignore_errors=True)
    fresh.rename(final)
    for old in sorted(folder.glob("step-*"))[:-_KEPT]:
        shutil.rmtree(old)


def load_state(folder: Path) -> TrainingState | None:
    """The newest whole state, None if there is none."""
    for candidate in sorted(folder.glob("step-*"), reverse=True):
        try:
            record = json.loads((candidate / "state.json").read_text(encoding="utf-8"))
            whole = sha256_file(candidate / "state.safetensors") == record["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            whole = False
        if whole:
            tensors = load_file(candidate / "state.safetensors")
            return TrainingState(record["step"], tensors, record["extra"])
        logger.warning("checkpoint %s is damaged; using the one before it", candidate)
    return None


@torch.no_grad()
def restore(
    state: TrainingState, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> None:
    """Put a stored state back into a model and its optimisers."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.copy_(state.tensors[f"model.{name}"])
    for i, optimizer in enumerate(optimizers):
        current = optimizer.state_dict()
        values: dict[int, dict[str, Tensor]] = {}
        prefix = f"optimizer.{i}."
        for key, tensor in state.tensors.items():
            if key.startswith(prefix):
                number, _, name = key.removeprefix(prefix).partition(".")
                values.setdefault(int(number), {})[name] = tensor
        optimizer.load_state_dict({"state": values, "param_groups": current["param_groups"]})
