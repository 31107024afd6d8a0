"""Reinforcement learning with verifiable rewards by GRPO and its relatives, read top to bottom.

sample -> score -> advantage -> loss -> step (paper, section 3.2; Shao et al., 2024). Each step
samples a group of completions per prompt from the current policy and scores them with the domain's
own metric (``experience``), compares every completion with its group, and moves the policy towards
the better ones within a clipped ratio (``objective``). Which advantage, which loss, which average
and which regulariser is a key of ``RlvrConfig`` each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from worldtune.config import RlvrConfig
from worldtune.engine.learn.advantages import advantages, batch_moments, finish_std
from worldtune.engine.learn.experience import Batch, Collector, SampledGroup
from worldtune.engine.learn.learner import Learner, completion_logp, move_towards
from worldtune.engine.learn.losses import KlEstimator, kl_value
from worldtune.engine.learn.objective import PolicyObjective, count_targets, with_target
from worldtune.engine.learn.order import order_rows
from worldtune.engine.learn.rewards import Scorer, enters_loss
from worldtune.engine.model.batch import Group
from worldtune.engine.model.policy import Policy
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.runtime.means import Means
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.runtime.run import Run
from worldtune.engine.task.predict import Completion, validator
from worldtune.engine.task.text_task import Example, TextTask

Logp = Sequence[Sequence[float]]
"""Log-probabilities of the tokens of each completion of a group, nats."""


@dataclass(frozen=True)
class Member:
    """A sampled group on its way to the loss.

    old_logp: under the policy that sampled, None where the update is the first after sampling, so
    that the ratio is exactly 1. reference: under the reference policy, None where not needed.
    """

    sampled: SampledGroup
    old_logp: Logp | None
    reference: Logp | None


class Grpo:
    """One step of the algorithm after the other, on this process's share of the prompts."""

    def __init__(
        self, learner: Learner, collector: Collector, reference: Policy | None, config: RlvrConfig
    ) -> None:
        self.learner, self.collector, self.reference = learner, collector, reference
        self.config, self.processes = config, learner.processes
        self.num_tokens = 0
        """Fed in the last step by all processes: each prompt once, its completions."""

    def state(self) -> Mapping[str, int]:
        """What a run that goes on must know beside the weights."""
        return {"cursor": self.collector.cursor}

    def tensors(self) -> Mapping[str, Tensor]:
        """The weights of the reference, where it moves."""
        if self.reference is None or not self.config.kl.sync_every:
            return {}
        return {name: p.detach() for name, p in self.reference.model.named_parameters()}

    def restore(self, state: Mapping[str, int], tensors: Mapping[str, Tensor]) -> None:
        """Go on from a stored ``state`` and ``tensors``; empty ones are the beginning."""
        self.collector.cursor = state.get("cursor", 0)
        if tensors and self.reference is not None:
            with torch.no_grad():
                for name, parameter in self.reference.model.named_parameters():
                    parameter.copy_(tensors[name])

    def step(self, step: int) -> dict[str, float]:
        """Sample, score, compare, learn; returns the metrics of the step."""
        means, stopwatch = Means(), self.learner.stopwatch
        with stopwatch.phase("rollout_s"), self.learner.policy.gathered():
            batch = self.collector.collect(step)  # sample and score
        with stopwatch.phase("train_s"):
            updates = self._log_probabilities(batch, step, means)
        for groups in self._with_advantages(updates):
            with stopwatch.phase("train_s"):
                loss = self._add_gradient(groups, means)
            means.add({"loss": loss, **self.learner.step(step)})
        self._move_reference(step)
        _add_rewards(means, batch.sampled)
        own = sum(group.num_tokens for group in batch.sampled)
        self.num_tokens = int(self.processes.sum(torch.tensor(own)))
        return means.merged(self.processes)

    @property
    def _is_kl_in_reward(self) -> bool:
        return self.config.kl.coefficient > 0 and self.config.kl.place == "reward"

    def _compares(self, step: int) -> bool:
        """Whether this step asks what the reference says of the completions."""
        kl = self.config.kl
        is_due = kl.measure_every > 0 and step % kl.measure_every == 0
        return self.reference is not None and (kl.coefficient > 0 or is_due)

    def _log_probabilities(self, batch: Batch, step: int, means: Means) -> list[list[Member]]:
        """Attach what the loss compares the policy with."""
        flat = [group for update in batch.updates for group in update]
        nothing: Sequence[Logp | None] = [None] * len(flat)
        is_stale = len(batch.updates) > 1 or self._is_kl_in_reward
        compares = self._compares(step)
        old = self._sampled_logp(flat) if is_stale or compares else []
        known = self._logp(self.reference, flat) if compares and self.reference else []
        if known:
            _add_divergence(means, flat, old, known)
        rows = zip(flat, old if is_stale else nothing, known or nothing, strict=True)
        members = iter(Member(*row) for row in rows)
        return [[next(members) for _ in update] for update in batch.updates]

    def _sampled_logp(self, groups: Sequence[SampledGroup]) -> Sequence[Logp]:
        """Under the policy that sampled: from the rollouts where those are exact."""
        sampling = self.config.sampling
        is_whole = sampling.top_k == 0 and sampling.top_p == 1.0 and sampling.min_p == 0.0
        if is_whole and self.learner.policy.is_exact:
            return [[completion.logp for completion in group.completions] for group in groups]
        # A truncated distribution is renormalised: its log-probabilities are not the loss's.
        return self._logp(self.learner.policy, groups)

    def _logp(self, policy: Policy, groups: Sequence[SampledGroup]) -> Sequence[Logp]:
        plain = [Group(g.example.prompt, [c.ids for c in g.completions]) for g in groups]
        return completion_logp(
            policy,
            plain,
            tokens_per_pass=self.config.tokens_per_pass,
            temperature=self.config.sampling.temperature,
        )

    def _with_advantages(self, updates: Sequence[Sequence[Member]]) -> list[list[Group]]:
        """Compare every completion with its group; the updates as the loss takes them."""
        kind, spread = self.config.advantage, None
        rewards = [[self._rewards(member) for member in update] for update in updates]
        if kind == "reinforce_pp":
            flat = [row for update in rewards for row in update]
            # A process without groups adds nothing.
            own = batch_moments(torch.stack(flat)) if flat else torch.zeros(2)
            spread = finish_std(self.processes.sum(own))
        return [
            [
                self._group(member, advantages(kind, row[None], batch_std=spread)[0].tolist())
                for member, row in zip(update, earned, strict=True)
            ]
            for update, earned in zip(updates, rewards, strict=True)
        ]

    def _rewards(self, member: Member) -> Tensor:
        """[samples]; with kl.place = reward the divergence of each completion is taken off."""
        rewards, kl = member.sampled.rewards, self.config.kl
        if not self._is_kl_in_reward or member.reference is None or member.old_logp is None:
            return rewards
        rows = zip(member.sampled.completions, member.old_logp, member.reference, strict=True)
        penalties = [float(_divergence(kl.estimator, *row).sum()) for row in rows]
        return rewards - kl.coefficient * torch.tensor(penalties, dtype=rewards.dtype)

    def _group(self, member: Member, values: list[float]) -> Group:
        """A group as the loss takes it; the true completion joins it where it is learnt from too.

        The prompt is then still encoded once.
        """
        completions, overlong = member.sampled.completions, self.config.overlong
        learnt = [enters_loss(score, overlong) for score in member.sampled.scores]
        group = Group(
            member.sampled.example.prompt,
            [c.ids for c in completions],
            advantages=values,
            old_logp=member.old_logp,
            reference=member.reference,
            trained=[
                c.chosen if is_learnt else (False,) * len(c.ids)
                for c, is_learnt in zip(completions, learnt, strict=True)
            ],
        )
        target = member.sampled.example.target
        return with_target(group, target) if self.config.sft_weight else group

    def _add_gradient(self, groups: Sequence[Group], means: Means) -> float:
        """Add the gradient of an update over these groups; returns its loss over all processes."""
        has_targets = self.config.sft_weight > 0
        counts = count_targets(groups, has_targets=has_targets).over(self.processes)
        is_regularised = self.config.kl.coefficient and self.config.kl.place == "loss"
        if not (is_regularised or self.config.entropy_coefficient or has_targets):
            # Nothing pulls at them, but they stay in the counts: the loss is the same without them.
            groups = [group for group in groups if any(group.advantages)]
        loss = self.learner.accumulate(
            groups,
            lambda batch: PolicyObjective(batch, self.config, counts),
            temperature=self.config.sampling.temperature,
            entropy="gradient" if self.config.entropy_coefficient else "value",
            observe=lambda objective, stats: objective.observe(stats, means),
        )
        return float(self.processes.sum(torch.tensor(loss, dtype=torch.float64)))

    def _move_reference(self, step: int) -> None:
        kl = self.config.kl
        if kl.sync_every and self.reference is not None and (step + 1) % kl.sync_every == 0:
            move_towards(self.reference.model, self.learner.policy.model, mix=kl.sync_mix)


def _divergence(
    estimator: KlEstimator, completion: Completion, logp: Sequence[float], known: Sequence[float]
) -> Tensor:
    """[chosen tokens] estimates of the divergence from the reference; forced tokens have none."""
    values = kl_value(estimator, torch.tensor(logp), torch.tensor(known))
    return values[torch.tensor(completion.chosen)]


def _add_divergence(
    means: Means, groups: Sequence[SampledGroup], logp: Sequence[Logp], reference: Sequence[Logp]
) -> None:
    """The divergence of the sampling policy from the reference, over all chosen tokens."""
    for group, own, known in zip(groups, logp, reference, strict=True):
        for completion, row, other in zip(group.completions, own, known, strict=True):
            values = _divergence("k3", completion, row, other)
            means.add({"kl": float(values.sum())}, count=len(values))


def _add_rewards(means: Means, groups: Sequence[SampledGroup]) -> None:
    """What the step's completions earned, those of replaced groups included."""
    for group in groups:
        rewards = group.rewards
        means.add(
            {"reward/std": float(rewards.std()), "zero_variance_groups": not group.has_signal}
        )
        for completion, score in zip(group.completions, group.scores, strict=True):
            lengths = {"completion/length": len(completion.ids)}
            means.add({"reward/mean": score.total, **score.metrics, **lengths})


def train_grpo(
    policy: Policy,
    reference: Policy | None,
    task: TextTask,
    train: Sequence[Example],
    validation: Sequence[Example],
    config: RlvrConfig,
    *,
    processes: Processes,
    seed: int,
    folder: Path,
    label: str = "rlvr",
) -> dict[str, float]:
    """Train the policy in place; returns the summary of the run.

    ``reference`` is what KL is measured against; it moves only with kl.sync_every. None where no KL
    is wanted. A run that was interrupted in ``folder`` goes on from its last stored state.
    """
    learner = Learner(policy, config, processes=processes)
    engine = BuiltinRollouts(policy, task.spec)
    scorer = Scorer(task, config.reward, config.overlong, config.max_new_tokens)
    section = f"{task.domain.name}.rlvr"
    order = order_rows([example.row for example in train], config.mix, seed=seed, section=section)
    collector = Collector(engine, task, scorer, train, config, processes, order)
    algorithm = Grpo(learner, collector, reference, config)
    run = Run(
        label,
        folder,
        config,
        learner,
        validator(engine, task, validation, config, processes),
        shown=("reward/mean", "kl", "entropy", "val/metric"),
        seed=seed,
        higher_is_better=task.domain.higher_is_better,
        state=algorithm.state,
        tensors=algorithm.tensors,
    )
    algorithm.restore(run.restored, run.restored_tensors)
    for step in run:
        engine.update_weights(step)
        values = algorithm.step(step)
        run.record(step, values, tokens=algorithm.num_tokens)
    return run.summary()
