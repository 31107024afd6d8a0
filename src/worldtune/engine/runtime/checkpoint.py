"""Resumable training state: tensors in safetensors, everything else in JSON, hashes beside them.

A state folder ``step-00000120`` appears under that name only when it is whole and on the disk. Its
``SHA256SUMS`` holds the hashes of its files (``sha256sum -c`` checks them, too). On resume the
newest folder whose hashes hold is taken; a damaged one is named, and the one before it used.
"""

import json
import logging
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from worldtune.engine.runtime import durable, tensor_file

logger = logging.getLogger(__name__)

_TENSORS, _REST, _SUMS = "state.safetensors", "state.json", "SHA256SUMS"


@dataclass(frozen=True)
class TrainingState:
    """What a loop needs to go on after ``step`` finished steps.

    Attributes:
        step: finished steps.
        tensors: weights, optimiser state and what the algorithm added, by name.
        extra: everything else; survives JSON unchanged (text keys, lists, finite numbers).
        needs: steps of other states that this one refers to; they are kept as long as it is.
    """

    step: int
    tensors: Mapping[str, Tensor]
    extra: Mapping[str, Any] = field(default_factory=dict)
    needs: Collection[int] = ()


class Checkpoints:
    """The states of a run in a folder: the newest ``keep``, and those that they need."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        """Nothing is read or written yet."""
        self.folder, self.keep = folder, keep

    def save(self, state: TrainingState) -> None:
        """Store a state of a new step; then drop states that are old and not needed.

        Raises UserError if the disk is full or the folder cannot be written to; the states before
        are whole then. Raises TypeError for ``extra`` that JSON would change.
        """
        record = {"step": state.step, "needs": sorted(state.needs), "extra": dict(state.extra)}
        text = json.dumps(record, allow_nan=False)
        if json.loads(text) != record:
            raise TypeError(f"extra state must survive JSON (text keys, lists): {state.extra}")
        final = self._at(state.step)
        fresh = final.with_name(f".{final.name}.new")
        with durable.explained(f"the checkpoint of step {state.step}", self.folder):
            try:
                self._clear_leftovers()
                fresh.mkdir(parents=True)
                sums = {
                    _TENSORS: tensor_file.write_tensors(fresh / _TENSORS, state.tensors),
                    _REST: durable.write_bytes(fresh / _REST, text.encode()),
                }
                durable.write_bytes(fresh / _SUMS, _sums_text(sums).encode())
                durable.publish_folder(fresh, final)
            except OSError:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
        self._prune()

    def newest(self) -> TrainingState | None:
        """The newest whole state, None if there is none; warns of those that are damaged."""
        damaged: dict[Path, str] = {}
        found: TrainingState | None = None
        for step in reversed(self.steps()):
            try:
                found = self.load(step)
                break
            except DamagedError as error:
                damaged[self._at(step)] = str(error)
        used = self._at(found.step).name if found else "the beginning, there is no other"
        for folder, reason in damaged.items():
            logger.warning("checkpoint %s is damaged (%s); going on from %s", folder, reason, used)
        return found

    def load(self, step: int) -> TrainingState:
        """The state of a step. Raises DamagedError unless it and all that it needs are whole."""
        folder = self._at(step)
        _check(folder)
        record = json.loads((folder / _REST).read_text(encoding="utf-8"))
        for other in record["needs"]:
            _check(self._at(other))
        tensors = load_file(folder / _TENSORS)
        return TrainingState(record["step"], tensors, record["extra"], record["needs"])

    def go_on_from(self, step: int) -> None:
        """Drop states after a step (damaged, or of a run that is not resumed) and leftovers."""
        self._clear_leftovers()
        for later in self.steps():
            if later > step:
                durable.remove_folder(self._at(later))
        self._prune()

    def steps(self) -> list[int]:
        """Steps of the states that are there, ascending."""
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*"))

    def _at(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def _prune(self) -> None:
        steps = self.steps()
        kept = set(steps[-self.keep :])
        for step in sorted(kept):
            kept |= set(self._needs(step))
        for step in steps:
            if step not in kept:
                durable.remove_folder(self._at(step))

    def _needs(self, step: int) -> list[int]:
        try:
            record = json.loads((self._at(step) / _REST).read_text(encoding="utf-8"))
            return [int(other) for other in record["needs"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # damaged: it is not loaded, and needs nothing

    def _clear_leftovers(self) -> None:
        for leftover in self.folder.glob(".step-*"):
            shutil.rmtree(leftover, ignore_errors=True)


class DamagedError(Exception):
    """A state folder is not what was written; the message says which file."""


def _sums_text(sums: Mapping[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sums.items())


def _check(folder: Path) -> None:
    """Raise DamagedError unless every file of a state folder has its hash."""
    try:
        stated = (folder / _SUMS).read_bytes()
        sums = {name: durable.sha256_file(folder / name) for name in (_TENSORS, _REST)}
    except OSError as error:
        name = Path(error.filename).name if error.filename else folder.name
        raise DamagedError(f"{folder.name}/{name}: {error.strerror}") from error
    if stated != _sums_text(sums).encode():
        wrong = [n for n in sums if _sums_text({n: sums[n]}).encode() not in stated]
        names = " and ".join(f"{folder.name}/{name}" for name in wrong or sums)
        raise DamagedError(f"{names}: not as {folder.name}/{_SUMS} says")


def capture(model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """The tensors of a training state: trained weights, buffers, and the optimisers' moments.

    Tensors that are sharded over processes are named here and gathered where they are written.
    """
    stored = model.state_dict().keys()
    buffers = {f"model.{n}": b for n, b in model.named_buffers() if n in stored}
    weights = {f"model.{n}": p for n, p in model.named_parameters() if p.requires_grad}
    moments = {
        f"optimizer.{i}.{parameter}.{name}": value
        for i, optimizer in enumerate(optimizers)
        for parameter, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }
    if not all(isinstance(value, Tensor) for value in moments.values()):
        raise TypeError("an optimiser keeps state that is no tensor, which is not stored exactly")
    return weights | buffers | moments


@torch.no_grad()
def restore(
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer] = (),
) -> None:
    """Put stored tensors back into a model and its optimisers.

    Raises ValueError if the model has not the weights that were stored.
    """
    own = {name: tensor for name, tensor in capture(model, ()).items()}
    stored = {name: t.shape for name, t in tensors.items() if name.startswith("model.")}
    if stored != {name: tensor.shape for name, tensor in own.items()}:
        raise ValueError("the checkpoint was stored from a model of another shape")
    for name, tensor in own.items():
        tensor.copy_(_like(tensors[name], tensor))
    for i, optimizer in enumerate(optimizers):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        values: dict[int, dict[str, Tensor]] = {}
        for number, name, tensor in _moments(tensors, f"optimizer.{i}."):
            # A copy: what was read is a map of the file, which would hold its disk space for good.
            values.setdefault(number, {})[name] = _like(tensor, parameters[number]).clone()
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": values, "param_groups": groups})


def _moments(tensors: Mapping[str, Tensor], prefix: str) -> Iterator[tuple[int, str, Tensor]]:
    for key, tensor in tensors.items():
        if key.startswith(prefix):
            number, _, name = key.removeprefix(prefix).partition(".")
            yield int(number), name, tensor


def _like(stored: Tensor, own: Tensor) -> Tensor:
    """A stored tensor, sharded as the process's own of the same shape is."""
    if stored.shape != own.shape or not hasattr(own, "full_tensor"):
        return stored
    from torch.distributed.tensor import DTensor, distribute_tensor  # noqa: PLC0415 - slow import

    assert isinstance(own, DTensor)
    # Every process has read the whole tensor: each takes its shard, nothing is sent.
    return distribute_tensor(stored, own.device_mesh, own.placements, src_data_rank=None)
