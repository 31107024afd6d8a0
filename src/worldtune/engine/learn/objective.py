"""What RLVR optimises over a packed batch: groups to tokens, weights and the terms of the loss.

The counts that the loss is divided by are those of a whole update, over all passes and processes
(``UpdateCounts``); a local division would weigh tokens by the company that they happen to be in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from worldtune.config import RlvrConfig
from worldtune.engine.learn.losses import LossTokens, kl_loss, policy_loss, token_weights
from worldtune.engine.model.batch import Group, PackedBatch
from worldtune.engine.model.head import TokenStats
from worldtune.engine.runtime.means import Means
from worldtune.engine.runtime.processes import Processes


@dataclass(frozen=True)
class UpdateCounts:
    """What an update is averaged over.

    Attributes:
        tokens: sampled tokens that enter the loss.
        completions: sampled completions of which any token does.
        target_tokens: tokens of the true completions, where those are learnt from as well.
    """

    tokens: int
    completions: int
    target_tokens: int

    def over(self, processes: Processes) -> "UpdateCounts":
        """The counts of all processes together."""
        own = [float(self.tokens), float(self.completions), float(self.target_tokens)]
        total = processes.sum(torch.tensor(own, dtype=torch.float64))
        return UpdateCounts(*map(int, total.tolist()))


def with_target(group: Group, target: Sequence[int]) -> Group:
    """The group with the true completion as its last one; the prompt is still encoded once."""
    filler = [0.0] * len(target)

    def extended(rows: Sequence[Sequence[float]] | None) -> Sequence[Sequence[float]] | None:
        return None if rows is None else [*rows, filler]

    trained = group.trained or [[True] * len(c) for c in group.completions]
    return replace(
        group,
        completions=[*group.completions, target],
        advantages=[*group.advantages, 0.0],
        old_logp=extended(group.old_logp),
        reference=extended(group.reference),
        trained=[*trained, [True] * len(target)],
    )


def count_targets(groups: Sequence[Group], *, has_targets: bool) -> UpdateCounts:
    """The counts of some groups; ``has_targets`` says that each ends with its true completion."""
    tokens, completions, target_tokens = 0, 0, 0
    for group in groups:
        trained = group.trained or [[True] * len(c) for c in group.completions]
        lengths = [sum(row) for row in trained]
        if has_targets:
            target_tokens += lengths.pop()
        tokens += sum(lengths)
        completions += sum(length > 0 for length in lengths)
    return UpdateCounts(tokens, completions, target_tokens)


def _is_target(batch: PackedBatch) -> Tensor:
    """[completions] whether a completion is the true one, the last of its group."""
    owner = torch.tensor(batch.owner)
    is_last = torch.cat([owner[1:] != owner[:-1], torch.ones(1, dtype=torch.bool)])
    return is_last.to(batch.sequence.device)


@dataclass(frozen=True)
class Likelihood:
    """Mean negative log-likelihood of ``num_targets`` tokens over all passes, nats per token."""

    num_targets: int
    token_wise: ClassVar[bool] = True

    def __call__(self, logp: Tensor, entropy: Tensor | None, select: slice) -> Tensor:
        """See ``head.Objective``."""
        return -logp.sum() / self.num_targets


class PolicyObjective:
    """The loss of ``RlvrConfig`` over one packed batch of an update."""

    def __init__(self, batch: PackedBatch, config: RlvrConfig, counts: UpdateCounts) -> None:
        self.batch, self.config = batch, config
        self.token_wise = config.loss.kind != "gspo"
        lengths = batch.sequence.bincount(minlength=len(batch.owner))
        self.weights = token_weights(
            config.loss.aggregation,
            lengths[batch.sequence],
            num_tokens=counts.tokens,
            num_sequences=counts.completions,
            max_new_tokens=config.max_new_tokens,
        )
        self.is_target = _is_target(batch)[batch.sequence] if config.sft_weight else None
        self.likelihood_weight = config.sft_weight / max(1, counts.target_tokens)
        # A group without old log-probabilities has just been sampled: its ratio is exactly 1.
        self.is_fresh = all(group.old_logp is None for group in batch.groups)

    def _tokens(self, logp: Tensor, select: slice) -> LossTokens:
        sequence = self.batch.sequence[select]
        old = logp.detach() if self.is_fresh else self.batch.old_logp[select].to(logp)
        return LossTokens(logp, old, self.batch.advantages[sequence].to(logp), sequence)

    def __call__(self, logp: Tensor, entropy: Tensor | None, select: slice) -> Tensor:
        """See ``head.Objective``."""
        config = self.config
        loss = policy_loss(config.loss, self._tokens(logp, select)).loss
        if config.kl.place == "loss" and config.kl.coefficient:
            assert self.batch.reference is not None, "the divergence needs a reference"
            known = self.batch.reference[select].to(logp)
            loss = loss + config.kl.coefficient * kl_loss(config.kl.estimator, logp, known)
        if config.entropy_coefficient:
            assert entropy is not None, "an entropy bonus needs the entropy"
            loss = loss - config.entropy_coefficient * entropy
        loss = self.weights[select].to(logp) * loss
        if self.is_target is not None:
            likelihood = -self.likelihood_weight * logp
            loss = torch.where(self.is_target[select], likelihood, loss)
        return loss.sum()

    @torch.no_grad()
    def observe(self, stats: TokenStats, means: Means) -> None:
        """Add what the log wants to know of the sampled tokens: clipping and entropy."""
        seen = policy_loss(self.config.loss, self._tokens(stats.logp, slice(None)))
        values = {"clip_fraction": (seen.clipped_low | seen.clipped_high).to(stats.logp)}
        if stats.entropy is not None:
            values["entropy"] = stats.entropy
        if self.is_target is not None:
            truth = stats.logp[self.is_target]
            means.add({"sft_loss": -float(truth.sum())}, count=len(truth))
            values = {name: value[~self.is_target] for name, value in values.items()}
        count = len(values["clip_fraction"])
        means.add({name: float(value.sum()) for name, value in values.items()}, count=count)
