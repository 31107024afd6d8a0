"""Supervised fine-tuning: the likelihood of the true completion, nothing else.

The prompt is context and bears no loss; the loss of a step is the mean over all its completion
tokens, however the batch was split into passes and processes.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from worldtune.config import SftConfig
from worldtune.engine.learn.learner import Learner
from worldtune.engine.learn.objective import Likelihood
from worldtune.engine.learn.order import order_rows
from worldtune.engine.model.batch import Group
from worldtune.engine.model.policy import Policy
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.runtime.run import Run
from worldtune.engine.task.predict import validator
from worldtune.engine.task.text_task import Example, TextTask


def accumulate_likelihood(learner: Learner, examples: Sequence[Example]) -> float:
    """Add the gradient of the mean over these examples; returns that mean, nats per token.

    Each process adds its share; gradients and value are sums over the processes afterwards.
    """
    processes = learner.processes
    groups = [Group(example.prompt, [example.target]) for example in examples]
    objective = Likelihood(sum(group.num_targets for group in groups))
    shares = processes.share([group.num_tokens for group in groups])
    mine = [groups[i] for i in shares[processes.rank]]
    value = learner.accumulate(mine, lambda batch: objective)
    return float(processes.sum(torch.tensor(value, dtype=torch.float64)))


def train_sft(
    policy: Policy,
    task: TextTask,
    train: Sequence[Example],
    validation: Sequence[Example],
    config: SftConfig,
    *,
    processes: Processes,
    seed: int,
    folder: Path,
    label: str = "sft",
) -> dict[str, float]:
    """Train the policy in place; returns the summary of the run (final loss, validation, time).

    A run that was interrupted in ``folder`` goes on from its last stored state.
    """
    learner = Learner(policy, config, processes=processes)
    engine = BuiltinRollouts(policy, task.spec)

    run = Run(
        label,
        folder,
        config,
        learner,
        validator(engine, task, validation, config, processes),
        shown=("loss", "val/metric"),
        seed=seed,
        higher_is_better=task.domain.higher_is_better,
    )
    policy.model.train()
    section = f"{task.domain.name}.sft"
    order = order_rows([example.row for example in train], config.mix, seed=seed, section=section)
    for step in run:
        rows = order.rows_at(step * config.batch_rows, config.batch_rows)
        batch = [train[row] for row in rows]
        with learner.stopwatch.phase("train_s"):
            loss = accumulate_likelihood(learner, batch)
        tokens = sum(len(e.prompt) + len(e.target) for e in batch)
        values = {"loss": loss, "tokens": tokens, **learner.step(step)}
        run.record(step, values, tokens=tokens)
    return run.summary()
