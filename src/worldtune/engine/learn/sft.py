"""Supervised fine-tuning: the likelihood of the true completion, nothing else.

The prompt is context and bears no loss; the loss of a step is the mean over all its completion
tokens, however the batch was split into passes.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from worldtune.config import SftConfig
from worldtune.engine.learn.optim import apply_update, build_optimizers, schedule_factor, set_rate
from worldtune.engine.model.batch import Group, bins, pack
from worldtune.engine.model.policy import Policy, token_stats
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.runtime.run import Run, batch_indices
from worldtune.engine.task.predict import mean_primary_metric
from worldtune.engine.task.text_task import Example, TextTask


def accumulate_likelihood(
    policy: Policy, examples: Sequence[Example], *, tokens_per_pass: int
) -> float:
    """Add the gradient of the mean negative log-likelihood; returns that mean, nats per token."""
    groups = [Group(e.prompt, [e.target]) for e in examples]
    num_targets = sum(group.num_targets for group in groups)
    total = 0.0
    for part in bins(groups, tokens_per_pass):
        stats = token_stats(policy, pack(part, device=policy.device))
        loss = -stats.logp.sum() / num_targets
        loss.backward()
        total += float(loss.detach())
    return total


def train_sft(
    policy: Policy,
    task: TextTask,
    train: Sequence[Example],
    validation: Sequence[Example],
    config: SftConfig,
    *,
    seed: int,
    folder: Path,
    label: str = "sft",
) -> dict[str, float]:
    """Train the policy in place; returns the summary of the run (final loss, validation, time).

    A run that was interrupted in ``folder`` goes on from its last stored state.
    """
    optimizers = build_optimizers(policy.model, config.optimizer)
    engine = BuiltinRollouts(policy, task.spec)
    shown = ("loss", "val/metric")
    run = Run(label, folder, config.steps, config, policy.model, optimizers, shown)
    validation = validation[: config.validation_rows]
    policy.model.train()
    for step in run:
        started = time.perf_counter()
        indices = batch_indices(step, count=len(train), size=config.batch_rows, seed=seed)
        batch = [train[i] for i in indices]
        loss = accumulate_likelihood(policy, batch, tokens_per_pass=config.tokens_per_pass)
        factor = schedule_factor(step, config.steps, config.optimizer)
        set_rate(optimizers, factor)
        norm = apply_update(policy.model, optimizers, config.optimizer.max_grad_norm)
        tokens = sum(len(e.prompt) + len(e.target) for e in batch)
        values = {
            "loss": loss,
            "grad_norm": norm,
            "learning_rate": factor * config.optimizer.learning_rate,
            "tokens": tokens,
        }
        seconds = time.perf_counter() - started
        if run.is_validated(step):
            values["val/metric"] = mean_primary_metric(
                engine, task, validation, max_new_tokens=config.max_new_tokens
            )
        run.record(step, values, seconds=seconds, tokens=tokens)
    final = mean_primary_metric(engine, task, validation, max_new_tokens=config.max_new_tokens)
    return {"val/metric": final, "steps": config.steps, **run.totals}
