"""What both training loops share: the folder of a run, its resumable state and its step counter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from worldtune.config import RunConfig
from worldtune.engine.runtime.checkpoint import load_state, restore, save_state
from worldtune.engine.runtime.tracking import MetricsLog, Progress


def shuffled(count: int, *, seed: int, epoch: int) -> list[int]:
    """A permutation of range(count), a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator).tolist()


def batch_indices(step: int, *, count: int, size: int, seed: int) -> list[int]:
    """Rows of a step: shuffled epochs one after another, none left out at the seam."""
    first = step * size
    places = range(first, first + size)
    epochs = {place // count for place in places}
    orders = {epoch: shuffled(count, seed=seed, epoch=epoch) for epoch in epochs}
    return [orders[place // count][place % count] for place in places]


@dataclass
class Run:
    """An interruptible loop of ``steps`` steps in a folder.

    Iterating yields the steps that are still to be done; ``record`` logs one and stores the state
    whenever it is due.
    """

    label: str
    folder: Path
    steps: int
    config: RunConfig
    model: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]
    shown: tuple[str, ...]
    totals: dict[str, float] = field(default_factory=dict)
    first_step: int = 0

    def __post_init__(self) -> None:
        state = load_state(self.folder / "resume") if self.config.resume else None
        if state is not None:
            restore(state, self.model, self.optimizers)
            self.first_step = state.step
            self.totals = dict(state.extra)
        self._log = MetricsLog(self.folder / "metrics.jsonl", first_step=self.first_step)

    def __iter__(self) -> Iterator[int]:
        progress = Progress(self.label, total=self.steps, done=self.first_step)
        self._progress = progress
        yield from range(self.first_step, self.steps)
        progress.close()
        self._log.close()

    def is_validated(self, step: int) -> bool:
        """Whether to validate after this step; the last one is validated by the summary."""
        every, done = self.config.validate_every, step + 1
        return bool(every) and done % every == 0 and done < self.steps

    def record(self, step: int, values: Mapping[str, Any], *, seconds: float, tokens: int) -> None:
        """Log a finished step; ``seconds`` and ``tokens`` add up to the run's totals."""
        timing = {"step_s": seconds, "tokens_per_s": tokens / seconds}
        self._log.write({"step": step, **values, "timing": timing})
        for key, value in (("wall_s", seconds), ("tokens", tokens)):
            self.totals[key] = self.totals.get(key, 0) + value
        shown = {key: values[key] for key in self.shown if key in values}
        self._progress.advance(shown | {"tokens/s": timing["tokens_per_s"]})
        done = step + 1
        if done % self.config.checkpoint_every == 0 and done < self.steps:
            save_state(
                self.folder / "resume",
                step=done,
                model=self.model,
                optimizers=self.optimizers,
                extra=self.totals,
            )
