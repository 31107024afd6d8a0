"""Our step, through the engine's own parts: sample, score, advantage, loss, step.

The training loop of ``worldtune.engine.learn.grpo`` without tasks, logs and checkpoints: what it
measures of every step (entropy, clipping) is measured here too, as TRL does.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from transformers import PreTrainedModel

from benchmarks.meter import Seconds, StepTime, Stopwatch
from benchmarks.shapes import EOS, PAD, reward
from worldtune.config import RlvrConfig
from worldtune.engine.learn.advantages import advantages
from worldtune.engine.learn.learner import Learner
from worldtune.engine.learn.objective import Likelihood, PolicyObjective, count_targets
from worldtune.engine.model.batch import Group
from worldtune.engine.model.policy import as_policy
from worldtune.engine.rollout.plan import GenPlan, TokenSpec
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.rollout.sampling import Sampling
from worldtune.engine.runtime.means import Means
from worldtune.engine.runtime.processes import Processes

SETTINGS = {
    "loss": {"kind": "ppo", "clip_low": 0.2, "clip_high": 0.2, "aggregation": "token"},
    "optimizer": {"kind": "adamw", "learning_rate": 1e-6, "betas": (0.9, 0.999)},
}
"""Those of TRL's side: loss ``dapo``, epsilon 0.2, AdamW at a constant rate, norm clipped at 1."""


TOKENS_PER_PASS = 1024
"""On a CPU larger passes only take more memory: 1024 to 16384 tokens are as fast within 3 %.
A group is never split."""


class OwnStep:
    """A policy and its optimizer; calling it takes one step of reinforcement learning."""

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        tokens_per_pass: int = TOKENS_PER_PASS,
        path: Literal["auto", "lean", "interface", "cached"] = "auto",
    ) -> None:
        self.config = RlvrConfig.model_validate({**SETTINGS, "tokens_per_pass": tokens_per_pass})
        self.vocabulary: int = model.config.vocab_size
        self.policy = as_policy(model, path=path)
        self.engine = BuiltinRollouts(self.policy, TokenSpec(self.vocabulary, PAD, EOS))
        self.learner = Learner(self.policy, self.config, processes=Processes.single())
        self.count = 0
        model.train()

    def __call__(
        self, prompts: Sequence[Sequence[int]], *, group: int, completion: int
    ) -> StepTime:
        """Sample ``group`` completions per prompt, score them, learn from them."""
        generating, training = Stopwatch(), Stopwatch()
        with generating:
            rollouts = self.engine.generate(
                prompts,
                range(len(prompts)),
                group=group,
                plan=GenPlan(completion, stop=frozenset({EOS})),
                sampling=Sampling(step=self.count),
            )
        with training:
            rows = [rollouts.completion(row) for row in range(len(prompts) * group)]
            rewards = torch.tensor([reward(row, self.vocabulary) for row in rows])
            values = advantages("grpo", rewards.view(-1, group)).tolist()
            parts = [rows[start : start + group] for start in range(0, len(rows), group)]
            self.loss([Group(*one) for one in zip(prompts, parts, values, strict=True)])
        return StepTime(generating.total, training.total, self._update())

    def loss(self, groups: Sequence[Group]) -> float:
        """Loss of one update, whose gradients are added to the model's."""
        counts, means = count_targets(groups, has_targets=False), Means()
        return self.learner.accumulate(
            groups,
            lambda batch: PolicyObjective(batch, self.config, counts),
            entropy="value",
            observe=lambda objective, stats: objective.observe(stats, means),
        )

    def supervised(self, rows: Sequence[Sequence[int]]) -> StepTime:
        """One step of supervised fine-tuning on whole rows."""
        training = Stopwatch()
        with training:
            self.supervised_loss(rows)
        return StepTime(Seconds(), training.total, self._update())

    def supervised_loss(self, rows: Sequence[Sequence[int]]) -> float:
        """Mean loss of all tokens but the first of each row; adds its gradients."""
        groups = [Group(row[:1], [row[1:]]) for row in rows]
        objective = Likelihood(sum(group.num_targets for group in groups))
        return self.learner.accumulate(groups, lambda batch: objective)

    def _update(self) -> Seconds:
        """Clip and move the weights; the time that took."""
        updating = Stopwatch()
        with updating:
            self.learner.step(self.count)
        self.count += 1
        return updating.total
