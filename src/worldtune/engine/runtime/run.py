"""The loop of a training run: which step is next, what is logged, what is stored, what is kept.

A run that is killed at any moment and started again ends with the same weights and the same
``metrics.jsonl`` as one that was left alone. What a step does must therefore be a function of the
step, the weights, the optimiser and the extra state that the algorithm hands over: never of the
time, of the order of a set, or of how often a generator was asked before.
"""

import logging
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from worldtune.config import RlvrConfig, SftConfig
from worldtune.engine.runtime.checkpoint import (
    Checkpoints,
    DamagedError,
    TrainingState,
    capture,
    restore,
)
from worldtune.engine.runtime.durable import explained
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.runtime.tensor_file import ordered, whole
from worldtune.engine.runtime.tracking import Progress, StepLog

logger = logging.getLogger(__name__)

METRIC = "val/metric"
"""The domain's primary metric of greedy completions, in the log and in the summary."""

_EXTRA = "extra."


class Stopwatch(Protocol):
    """Measures the phases of a step."""

    def take(self) -> dict[str, float]:
        """Seconds by phase since the last call."""


class Trained(Protocol):
    """What a run needs of a policy."""

    @property
    def model(self) -> nn.Module:
        """Whose weights are stored."""

    def gathered(self) -> AbstractContextManager[None]:
        """A context in which sharded weights are whole."""


class Learner(Protocol):
    """What a run stores and times."""

    @property
    def policy(self) -> Trained:
        """Whose model is trained."""

    @property
    def optimizers(self) -> Sequence[torch.optim.Optimizer]:
        """Whose moments are stored."""

    @property
    def processes(self) -> Processes:
        """Of which the main one writes."""

    @property
    def stopwatch(self) -> Stopwatch:
        """Of the phases of a step."""


@dataclass(frozen=True)
class Best:
    """The best validation so far: its value, and the finished steps it was taken after."""

    value: float
    step: int


def _no_state() -> Mapping[str, Any]:
    return {}


@dataclass
class Run:
    """An interruptible loop of ``config.steps`` steps in a folder.

    Iterating yields the steps that are still to be done; ``record`` ends one: it validates and
    stores the state where either is due. ``summary`` ends the run.

    Attributes:
        label: shown beside the progress.
        folder: of the run: metrics.jsonl, timings.jsonl and resume/ are in it.
        config: steps, cadences, retention, selection.
        learner: its weights and moments are stored; its stopwatch fills timings.jsonl.
        validate: the primary metric of the policy as it is.
        shown: which values the progress shows.
        seed: of the global generators (torch, numpy, random), which are set anew in every step.
        higher_is_better: which way the primary metric improves.
        state: called when a state is stored: what else the algorithm needs to go on, as JSON.
        tensors: the same for tensors, such as the weights of a reference that moves.
        restored, restored_tensors: what they had returned; empty where the run begins.
    """

    label: str
    folder: Path
    config: SftConfig | RlvrConfig
    learner: Learner
    validate: Callable[[], float]
    shown: tuple[str, ...]
    seed: int = 0
    higher_is_better: bool = True
    state: Callable[[], Mapping[str, Any]] = _no_state
    tensors: Callable[[], Mapping[str, Tensor]] = _no_state
    restored: Mapping[str, Any] = field(init=False, default_factory=dict)
    restored_tensors: Mapping[str, Tensor] = field(init=False, default_factory=dict)
    totals: dict[str, float] = field(init=False, default_factory=dict)
    first_step: int = field(init=False, default=0)
    best: Best | None = field(init=False, default=None)
    final: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Go on where the newest whole state was stored, if the configuration says so."""
        self._is_main = self.learner.processes.is_main
        self._checkpoints = Checkpoints(self.folder / "resume", keep=self.config.keep_checkpoints)
        stored = self._checkpoints.newest() if self.config.resume else None
        log_hash = self._go_on(stored) if stored is not None else None
        self._check_all_go_on_alike()
        if self._is_main:
            self._open(log_hash)

    def _go_on(self, stored: TrainingState) -> str:
        restore(stored.tensors, self.learner.policy.model, self.learner.optimizers)
        extra = stored.extra
        self.first_step = stored.step
        self.totals = dict(extra["totals"])
        self.best = Best(**extra["best"]) if extra["best"] else None
        self.restored = extra["state"]
        self.restored_tensors = {
            name.removeprefix(_EXTRA): tensor.clone()
            for name, tensor in stored.tensors.items()
            if name.startswith(_EXTRA)
        }
        return str(extra["metrics_sha256"])

    def _check_all_go_on_alike(self) -> None:
        """Raise RuntimeError where processes read different states (no shared folder)."""
        processes = self.learner.processes
        first, last = -processes.max(-self.first_step), processes.max(self.first_step)
        if first != last:
            raise RuntimeError(
                f"processes would go on from different steps, {first} to {last}: "
                f"{self.folder} must be one folder that all machines share"
            )

    def _open(self, log_hash: str | None) -> None:
        with explained("the log of the run", self.folder):
            self._checkpoints.go_on_from(self.first_step)
            self._metrics = StepLog(self.folder / "metrics.jsonl", first_step=self.first_step)
            self._timings = StepLog(self.folder / "timings.jsonl", first_step=self.first_step)
        if log_hash is not None and self._metrics.sha256 != log_hash:
            logger.warning(
                "%s: the lines before step %d are not those that were written; training goes on, "
                "but the log is not whole",
                self.folder / "metrics.jsonl",
                self.first_step,
            )

    def __iter__(self) -> Iterator[int]:
        """The steps that are still to be done."""
        if self._is_main:
            self._progress = Progress(self.label, total=self.config.steps, done=self.first_step)
        for step in range(self.first_step, self.config.steps):
            _set_global_generators(f"{self.seed}/{step}/{self.learner.processes.rank}")
            self._step_start = time.perf_counter()
            yield step
        if self._is_main:
            self._progress.close()
            self._metrics.close()
            self._timings.close()

    def record(self, step: int, values: Mapping[str, float], *, tokens: int) -> None:
        """End a step: validate and store the state where it is due, log ``values``.

        Args:
            step: that was done.
            values: to log, the same on all processes.
            tokens: that all processes went through.
        """
        timing = {"step_s": time.perf_counter() - self._step_start}
        timing["tokens_per_s"] = tokens / timing["step_s"]
        timing |= self.learner.stopwatch.take()
        done = step + 1
        is_best = False
        if self._is_validated(done):
            start = time.perf_counter()
            with self.learner.policy.gathered():
                value = self.validate()
            timing["validate_s"] = time.perf_counter() - start
            values = {**values, METRIC: value}
            is_best = self._consider(Best(value, done))
            self.final = value if done == self.config.steps else None
        for key, amount in (("wall_s", timing["step_s"]), ("tokens", tokens)):
            self.totals[key] = self.totals.get(key, 0) + amount
        if self._is_main:
            self._log(step, values, timing)
        if done < self.config.steps and (is_best or done % self.config.checkpoint_every == 0):
            start = time.perf_counter()
            self._store(done)
            if self._is_main:
                took = {"checkpoint_s": time.perf_counter() - start}
                self._timings.write(step, timing | took)

    def _log(self, step: int, values: Mapping[str, float], timing: Mapping[str, float]) -> None:
        with explained("the log of the run", self.folder):
            self._metrics.write(step, values)
            self._timings.write(step, timing)
        shown = {key: values[key] for key in self.shown if key in values}
        self._progress.advance(shown | {"tokens/s": timing["tokens_per_s"]})

    def _is_validated(self, done: int) -> bool:
        every = self.config.validate_every
        return done == self.config.steps or (bool(every) and done % every == 0)

    def _consider(self, new: Best) -> bool:
        """Take a validation as the best if it is better than all before; whether it was."""
        if self.config.select != "best":
            return False
        sign = 1 if self.higher_is_better else -1
        is_better = self.best is None or sign * new.value > sign * self.best.value
        # All processes must store together, whatever the last digit of one of them says.
        is_better = bool(self.learner.processes.max(int(is_better and math.isfinite(new.value))))
        if is_better:
            self.best = new
        return is_better

    def _store(self, done: int) -> None:
        tensors = capture(self.learner.policy.model, self.learner.optimizers)
        tensors |= {f"{_EXTRA}{name}": tensor for name, tensor in self.tensors().items()}
        if not self._is_main:
            for name in ordered(tensors):
                whole(tensors[name])  # takes part in gathering what is sharded
            return
        extra = {
            "totals": self.totals,
            "best": asdict(self.best) if self.best else None,
            "state": dict(self.state()),
            "metrics_sha256": self._metrics.sync(),
        }
        needs = {self.best.step} - {done} if self.best else set()
        self._checkpoints.save(TrainingState(done, tensors, extra, needs))

    def summary(self) -> dict[str, float]:
        """What the run came to; the model now has the weights that ``config.select`` says.

        Returns:
            val/metric of these weights, selected_step (finished steps they were taken after),
            steps, wall_s of the steps and tokens, over all processes that worked on the run.
        """
        assert self.final is not None, "a run is summed up after its last step"
        chosen = Best(self.final, self.config.steps)
        if self.best is not None and self.best.step < self.config.steps:
            chosen = self._load_best(self.best) or chosen
        return {
            METRIC: chosen.value,
            "selected_step": chosen.step,
            "steps": self.config.steps,
            **self.totals,
        }

    def _load_best(self, best: Best) -> Best | None:
        try:
            stored = self._checkpoints.load(best.step)
        except DamagedError as error:
            logger.warning("the best checkpoint is damaged (%s); the last weights are used", error)
            return None
        restore(stored.tensors, self.learner.policy.model)
        return best


def _set_global_generators(text: str) -> None:
    """Make what a step draws from the global generators (dropout) a function of a text."""
    generator = random.Random(text)
    torch.manual_seed(generator.getrandbits(63))
    np.random.seed(generator.getrandbits(32))
    random.seed(generator.getrandbits(63))
