"""Reinforcement learning with verifiable rewards by GRPO, read top to bottom.

sample -> score -> advantage -> loss -> step (paper, section 3.2; Shao et al., 2024). Each step
samples a group of completions per prompt from the current policy, scores them with the domain's own
metric, compares every completion with its group, and moves the policy towards the better ones
within a clipped ratio. Tokens are averaged over the whole step, so that long and short completions
count alike.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from worldtune.config import RlvrConfig
from worldtune.contracts import Score
from worldtune.engine.learn.advantages import ZERO_SIGNAL, group_advantages
from worldtune.engine.learn.losses import clipped_surrogate
from worldtune.engine.learn.optim import apply_update, build_optimizers, schedule_factor, set_rate
from worldtune.engine.model.batch import Group, bins, pack
from worldtune.engine.model.policy import Policy, token_stats
from worldtune.engine.rollout.rollouts import BuiltinRollouts, RolloutEngine
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.runtime.run import Run, batch_indices
from worldtune.engine.task.predict import Completion, completion_at, mean_primary_metric
from worldtune.engine.task.text_task import Example, TextTask


@dataclass(frozen=True)
class Sampled:
    """The groups of one step: completions and scores [prompts][samples]."""

    examples: Sequence[Example]
    completions: list[list[Completion]]
    scores: list[list[Score]]

    @property
    def rewards(self) -> Tensor:
        """[prompts, samples]."""
        return torch.tensor([[score.total for score in group] for group in self.scores])


def sample(
    engine: RolloutEngine,
    task: TextTask,
    examples: Sequence[Example],
    config: RlvrConfig,
    *,
    seed: int,
    step: int,
) -> Sampled:
    """Sample ``group_size`` completions per example and score them."""
    rollouts = engine.generate(
        [e.prompt for e in examples],
        [e.number for e in examples],
        group=config.group_size,
        plan=task.plan(config.max_new_tokens),
        sampling=Sampling(temperature=config.sampling.temperature, seed=seed, step=step),
    )
    size = config.group_size
    completions = [
        [completion_at(rollouts, place * size + i) for i in range(size)]
        for place in range(len(examples))
    ]
    scores = [
        [task.score(example, completion.ids) for completion in group]
        for example, group in zip(examples, completions, strict=True)
    ]
    return Sampled(examples, completions, scores)


def build_groups(sampled: Sampled, config: RlvrConfig) -> list[Group]:
    """Attach the group-relative advantages."""
    advantages = group_advantages(sampled.rewards, normalize_std=config.advantage == "grpo")
    return [
        Group(
            example.prompt,
            [c.ids for c in group],
            advantages=values,
            old_logp=[c.logp for c in group],
        )
        for example, group, values in zip(
            sampled.examples, sampled.completions, advantages.tolist(), strict=True
        )
    ]


@dataclass
class _Sums:
    """Token sums of one update, for its averages."""

    tokens: int = 0
    loss: float = 0.0
    clipped: float = 0.0
    kl: float = 0.0
    entropy: float = 0.0

    def add(self, loss: Tensor, clipped: Tensor, kl: Tensor, entropy: Tensor) -> None:
        self.tokens += loss.numel()
        self.loss += float(loss.detach().sum())
        self.clipped += float(clipped.sum())
        self.kl += float(kl.sum())
        self.entropy += float(entropy.detach().sum())


def accumulate_policy_gradient(
    policy: Policy, reference: Policy, groups: Sequence[Group], config: RlvrConfig
) -> _Sums:
    """Add the gradient of the step's loss over these groups; returns sums over their tokens.

    The loss is divided by the number of completion tokens of all the groups, not of one pass.
    """
    num_targets = sum(group.num_targets for group in groups)
    entropy: Literal["value", "gradient"] = "gradient" if config.entropy_coefficient else "value"
    sums = _Sums()
    for part in bins(groups, config.tokens_per_pass):
        batch = pack(part, device=policy.device)
        stats = token_stats(policy, batch, temperature=config.sampling.temperature, entropy=entropy)
        with torch.no_grad():
            known = token_stats(reference, batch, temperature=config.sampling.temperature).logp
        result = clipped_surrogate(
            stats.logp,
            batch.old_logp,
            batch.advantages,
            clip_low=config.loss.clip_low,
            clip_high=config.loss.clip_high,
            reference=known,
            kl_coefficient=config.kl.coefficient,
        )
        assert stats.entropy is not None, "entropy was asked for"
        loss = result.loss
        if config.entropy_coefficient:
            loss = loss - config.entropy_coefficient * stats.entropy
        (loss.sum() / num_targets).backward()
        sums.add(loss, result.clipped, result.kl, stats.entropy)
    return sums


def _reward_metrics(sampled: Sampled) -> dict[str, float]:
    """Averages over all completions of a step."""
    rewards = sampled.rewards
    scores = [score for group in sampled.scores for score in group]
    flat = [completion for group in sampled.completions for completion in group]
    parts = {
        f"reward/{name}": sum(s.parts[name] for s in scores) / len(scores)
        for name in scores[0].parts
    }
    spread = rewards.amax(dim=1) - rewards.amin(dim=1)
    return {
        "reward/mean": float(rewards.mean()),
        "reward/std": float(rewards.std(dim=1).mean()),
        **parts,
        "parse_failure_rate": sum(not s.parsed for s in scores) / len(scores),
        "zero_variance_groups": float((spread <= ZERO_SIGNAL).float().mean()),
        "completion/length": sum(len(c.ids) for c in flat) / len(flat),
        "completion/truncated": sum(not c.finished for c in flat) / len(flat),
    }


def _update(
    policy: Policy,
    reference: Policy,
    optimizers: Sequence[torch.optim.Optimizer],
    groups: Sequence[Group],
    config: RlvrConfig,
) -> dict[str, float]:
    """One pass over the step's groups in updates of ``update_prompts`` prompts each."""
    total, norms = _Sums(), []
    for start in range(0, len(groups), config.update_prompts):
        part = groups[start : start + config.update_prompts]
        sums = accumulate_policy_gradient(policy, reference, part, config)
        norms.append(apply_update(policy.model, optimizers, config.optimizer.max_grad_norm))
        total.tokens += sums.tokens
        total.loss += sums.loss
        total.clipped += sums.clipped
        total.kl += sums.kl
        total.entropy += sums.entropy
    return {
        "loss": total.loss / total.tokens,
        "clip_fraction": total.clipped / total.tokens,
        "kl": total.kl / total.tokens,
        "entropy": total.entropy / total.tokens,
        "grad_norm": sum(norms) / len(norms),
    }


def train_grpo(
    policy: Policy,
    reference: Policy,
    task: TextTask,
    train: Sequence[Example],
    validation: Sequence[Example],
    config: RlvrConfig,
    *,
    seed: int,
    folder: Path,
    label: str = "rlvr",
) -> dict[str, float]:
    """Train the policy in place; ``reference`` stays as it is. Returns the summary of the run."""
    optimizers = build_optimizers(policy.model, config.optimizer)
    engine = BuiltinRollouts(policy, task.spec)
    shown = ("reward/mean", "kl", "entropy", "val/metric")
    run = Run(label, folder, config.steps, config, policy.model, optimizers, shown)
    validation = validation[: config.validation_rows]
    for step in run:
        started = time.perf_counter()
        indices = batch_indices(step, count=len(train), size=config.batch_prompts, seed=seed)
        engine.update_weights(step)
        sampled = sample(engine, task, [train[i] for i in indices], config, seed=seed, step=step)
        groups = build_groups(sampled, config)
        factor = schedule_factor(step, config.steps, config.optimizer)
        set_rate(optimizers, factor)
        values = _reward_metrics(sampled) | _update(policy, reference, optimizers, groups, config)
        values["learning_rate"] = factor * config.optimizer.learning_rate
        seconds = time.perf_counter() - started
        if run.is_validated(step):
            values["val/metric"] = mean_primary_metric(
                engine, task, validation, max_new_tokens=config.max_new_tokens
            )
        run.record(step, values, seconds=seconds, tokens=sum(g.num_tokens for g in groups))
    final = mean_primary_metric(engine, task, validation, max_new_tokens=config.max_new_tokens)
    return {"val/metric": final, "steps": config.steps, **run.totals}
