"""What supervised and reinforcement learning share: gradients over packed passes, then one step.

The objective decides what is learnt; everything else about a step is here. Passes hold as many
groups as fit the token budget, processes hold the groups that were dealt to them, and neither
changes the result: the objective divides by counts of the whole update, so gradients only add up.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from worldtune.config import RlvrConfig, SftConfig
from worldtune.engine.model.batch import Group, PackedBatch, bins, pack
from worldtune.engine.model.head import Objective, TokenStats, objective_loss, score_targets
from worldtune.engine.model.policy import Policy
from worldtune.engine.runtime.optim import (
    apply_update,
    build_optimizers,
    schedule_factor,
    set_rate,
)
from worldtune.engine.runtime.processes import Processes

Entropy = Literal["none", "value", "gradient"]
Goal = TypeVar("Goal", bound=Objective)


@dataclass
class Stopwatch:
    """Seconds by phase since the last ``take``."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a block; blocks of one name add up."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def take(self) -> dict[str, float]:
        """The seconds so far; starts anew."""
        taken, self.seconds = self.seconds, {}
        return taken


class Learner:
    """A policy, its optimisers and the processes that share its work."""

    def __init__(
        self, policy: Policy, config: SftConfig | RlvrConfig, *, processes: Processes
    ) -> None:
        self.policy, self.config, self.processes = policy, config, processes
        self.optimizers = build_optimizers(policy.model, config.optimizer)
        self.stopwatch = Stopwatch()

    def accumulate(
        self,
        groups: Sequence[Group],
        objective_of: Callable[[PackedBatch], Goal],
        *,
        temperature: float = 1.0,
        entropy: Entropy = "none",
        observe: Callable[[Goal, TokenStats], None] | None = None,
    ) -> float:
        """Add the gradient of an objective over these groups; returns the objective's value.

        ``observe`` is shown each pass: its objective and what the policy said of its targets.
        """
        total = 0.0
        parts = bins(groups, self.config.tokens_per_pass)
        missing = self.policy.empty_passes(len(parts))
        for part in parts:
            batch = pack(part, device=self.policy.device)
            objective = objective_of(batch)
            loss, stats = self._forward(batch, objective, temperature, entropy)
            loss.backward()
            total += float(loss.detach())
            if observe is not None:
                observe(objective, stats)
        for _ in range(missing):
            self._forward(_empty_batch(self.policy), _Nothing(), 1.0, "none")[0].backward()
        return total

    def _forward(
        self, batch: PackedBatch, objective: Objective, temperature: float, entropy: Entropy
    ) -> tuple[Tensor, TokenStats]:
        path, head = self.policy.path, self.policy.head
        with self.policy.computing():
            return self.policy.run(
                lambda: objective_loss(
                    head,
                    path.states(batch),
                    batch.targets,
                    objective,
                    temperature=temperature,
                    entropy=entropy,
                )
            )

    def step(self, step: int) -> dict[str, float]:
        """Sum gradients over the processes, clip and move the weights; the norm before clipping."""
        with self.stopwatch.phase("optimizer_s"):
            self.processes.sum_gradients(self.policy.model.parameters())
            factor = schedule_factor(step, self.config.steps, self.config.optimizer)
            set_rate(self.optimizers, factor)
            norm = apply_update(
                self.policy.model, self.optimizers, self.config.optimizer.max_grad_norm
            )
        return {
            "grad_norm": norm,
            "learning_rate": factor * self.config.optimizer.learning_rate,
        }


@torch.no_grad()
def completion_logp(
    policy: Policy, groups: Sequence[Group], *, tokens_per_pass: int, temperature: float
) -> list[list[list[float]]]:
    """Log-probabilities of every trained token, [groups][completions][trained tokens], nats."""
    found: dict[int, list[list[float]]] = {}
    numbers = {id(group): number for number, group in enumerate(groups)}

    def score(batch: PackedBatch) -> TokenStats:
        states = policy.path.states(batch)
        return score_targets(policy.head, states, batch.targets, temperature=temperature)

    parts = bins(groups, tokens_per_pass)
    missing = policy.empty_passes(len(parts))
    for part in parts:
        batch = pack(part, device=policy.device)
        with policy.computing():
            stats = policy.run(partial(score, batch))
        counts = batch.sequence.bincount(minlength=len(batch.advantages)).tolist()
        rows: list[Tensor] = list(stats.logp.split(counts))
        for group in part:
            own, rows = rows[: len(group.completions)], rows[len(group.completions) :]
            found[numbers[id(group)]] = [row.tolist() for row in own]
    for _ in range(missing):
        policy.run(partial(score, _empty_batch(policy)))
    return [found[number] for number in range(len(groups))]


def _empty_batch(policy: Policy) -> PackedBatch:
    """The smallest batch, for a pass that only keeps pace with the other processes."""
    return pack([Group((0,), [(0,)])], device=policy.device)


class _Nothing:
    """The objective of an empty pass: gradients of exactly zero, for every weight."""

    token_wise = True

    def __call__(self, logp: Tensor, entropy: Tensor | None, select: slice) -> Tensor:
        return 0.0 * logp.sum()


def move_towards(target: nn.Module, source: nn.Module, *, mix: float) -> None:
    """Move every weight of ``target`` the share ``mix`` of the way to ``source``."""
    with torch.no_grad():
        for old, new in zip(target.parameters(), source.parameters(), strict=True):
            old.lerp_(new, mix)
