"""Rollouts: completions sampled from the policy, several per prompt, each prompt encoded once.

Text and visual tokens alike: a ``GenPlan`` may force tokens (actions between frames), restrict the
vocabulary per position and fix the length. ``RolloutEngine`` is the seam behind which another
engine may stand; ``BuiltinRollouts`` is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from worldtune.engine.model.attention import decode_layout, group_layout
from worldtune.engine.model.policy import Policy
from worldtune.engine.rollout.sampling import Sampling, choose, counter_uniform


@dataclass(frozen=True)
class TokenSpec:
    """The vocabulary: size, special ids, and named id ranges (such as visual tokens)."""

    vocab_size: int
    pad: int
    eos: int | None
    bos: int | None = None
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class GenPlan:
    """What a completion may look like; shared by the batch or, for ``forced``, given per prompt.

    Attributes:
        max_new: most tokens of a completion.
        forced: [prompts, max_new] token ids that are given, -1 where the model chooses; or None.
        allowed: [max_new] which row of ``masks`` restricts each position; or None.
        masks: [masks, vocabulary] True where a token is allowed; or None.
        stop: ids that end a completion (and belong to it); empty fixes the length to ``max_new``.
    """

    max_new: int
    forced: Tensor | None = None
    allowed: Tensor | None = None
    masks: Tensor | None = None
    stop: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Rollouts:
    """Completions, ordered by prompt; rows are prompts times samples.

    Attributes:
        ids: [rows, longest] token ids, padded.
        lengths: [rows] tokens of each completion, stop token included.
        logp: [rows, longest] float32 nats under the distribution that was sampled, 0 at padding.
        loss_mask: [rows, longest] True where the model chose the token.
        group: [rows] index of the prompt.
        finished: [rows] False where the completion was cut at ``max_new``.
        weight_version: of the weights that sampled.
    """

    ids: Tensor
    lengths: Tensor
    logp: Tensor
    loss_mask: Tensor
    group: Tensor
    finished: Tensor
    weight_version: int = 0

    def completion(self, row: int) -> list[int]:
        """Token ids of one completion."""
        ids: list[int] = self.ids[row, : int(self.lengths[row])].tolist()
        return ids


class RolloutEngine(Protocol):
    """Something that samples completions."""

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        prompt_ids: Sequence[int],
        *,
        group: int,
        plan: GenPlan,
        sampling: Sampling,
    ) -> Rollouts:
        """Sample ``group`` completions of every prompt; prompt_ids are their stable counters."""

    def update_weights(self, version: int) -> None:
        """Take over the policy's current weights, known from now on as ``version``."""


_COMPACT_BELOW = 0.7
"""Finished rows are dropped once fewer than this share of the rows is still running."""


@dataclass
class BuiltinRollouts:
    """Decodes with the training weights themselves: nothing to synchronise, no mismatch."""

    policy: Policy
    spec: TokenSpec
    weight_version: int = 0

    def update_weights(self, version: int) -> None:
        """See ``RolloutEngine``; the weights are shared, only the version moves."""
        self.weight_version = version

    @torch.no_grad()
    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        prompt_ids: Sequence[int],
        *,
        group: int,
        plan: GenPlan,
        sampling: Sampling,
    ) -> Rollouts:
        """See ``RolloutEngine``."""
        was_training = self.policy.model.training
        self.policy.model.eval()
        try:
            return _Decoding(self, prompts, prompt_ids, group, plan, sampling).run()
        finally:
            self.policy.model.train(was_training)


class _Decoding:
    """One call of ``generate``: the state of the loop over positions."""

    def __init__(
        self,
        engine: BuiltinRollouts,
        prompts: Sequence[Sequence[int]],
        prompt_ids: Sequence[int],
        group: int,
        plan: GenPlan,
        sampling: Sampling,
    ) -> None:
        self.engine, self.policy, self.plan, self.sampling = engine, engine.policy, plan, sampling
        self.device = engine.policy.device
        self.prompts, self.group_size = prompts, group
        self.num_rows = len(prompts) * group
        counters = torch.tensor(prompt_ids, device=self.device)
        self.prompt_counter = counters.repeat_interleave(group)
        self.sample_counter = torch.arange(group, device=self.device).repeat(len(prompts))
        self.position = torch.tensor([len(p) for p in prompts], device=self.device)
        self.start = self.position.repeat_interleave(group)
        self.stop = torch.tensor(sorted(plan.stop), dtype=torch.long, device=self.device)
        shape = (self.num_rows, plan.max_new)
        self.ids = torch.full(shape, engine.spec.pad, device=self.device)
        self.logp = torch.zeros(shape, device=self.device)
        self.loss_mask = torch.zeros(shape, dtype=torch.bool, device=self.device)
        self.lengths = torch.full((self.num_rows,), plan.max_new, device=self.device)
        self.finished = torch.zeros(self.num_rows, dtype=torch.bool, device=self.device)
        self.rows = torch.arange(self.num_rows, device=self.device)

    def run(self) -> Rollouts:
        """Prefill, then one position at a time until every row has stopped."""
        logits = self._prefill()
        time = 0
        while True:
            tokens = self._choose(logits, time)
            time += 1
            if time == self.plan.max_new or bool(self.finished.all()):
                break
            tokens = self._compact(tokens)
            positions = (self.start[self.rows] + time - 1)[:, None]
            hidden = self.policy.hidden(tokens[:, None], positions, self.layout)
            self.layout.time = time
            logits = self.policy.logits(hidden[:, -1])
        if not self.plan.stop:
            self.finished[:] = True
        group = torch.arange(len(self.prompts), device=self.device)
        group = group.repeat_interleave(self.group_size)
        tensors = (self.ids[:, :time], self.lengths.clamp(max=time), self.logp[:, :time])
        mask, version = self.loss_mask[:, :time], self.engine.weight_version
        return Rollouts(*tensors, mask, group, self.finished, version)

    def _prefill(self) -> Tensor:
        """Encode every prompt once; logits [rows, vocabulary] of the first new token."""
        lengths = [len(p) for p in self.prompts]
        layout = group_layout(lengths, [], [], device=self.device)
        layout.store = {}
        flat = [token for prompt in self.prompts for token in prompt]
        places = [i for length in lengths for i in range(length)]
        hidden = self.policy.hidden(
            torch.tensor([flat], device=self.device),
            torch.tensor([places], device=self.device),
            layout,
        )
        self.layout = decode_layout(
            layout, self.position, samples=self.group_size, max_new=self.plan.max_new
        )
        last = self.position.cumsum(0) - 1
        return self.policy.logits(hidden[0, last]).repeat_interleave(self.group_size, dim=0)

    def _choose(self, logits: Tensor, time: int) -> Tensor:
        """Record the token of every running row at this position and return it."""
        rows, plan = self.rows, self.plan
        if plan.masks is not None and plan.allowed is not None:
            logits = logits.masked_fill(~plan.masks[plan.allowed[time]], float("-inf"))
        uniform = counter_uniform(
            self.sampling.seed,
            self.sampling.step,
            self.prompt_counter[rows],
            self.sample_counter[rows],
            time,
        )
        tokens, logp = choose(logits, uniform, self.sampling)
        chosen = ~self.finished[rows]
        if plan.forced is not None:
            given = plan.forced[rows // self.group_size, time]
            tokens = torch.where(given >= 0, given, tokens)
            logp = torch.where(given >= 0, torch.zeros_like(logp), logp)
            self.loss_mask[rows, time] = chosen & (given < 0)
        else:
            self.loss_mask[rows, time] = chosen
        self.ids[rows, time] = torch.where(chosen, tokens, self.engine.spec.pad)
        self.logp[rows, time] = torch.where(chosen, logp.float(), 0.0)
        stops = chosen & torch.isin(tokens, self.stop)
        self.lengths[rows[stops]] = time + 1
        self.finished[rows[stops]] = True
        return tokens

    def _compact(self, tokens: Tensor) -> Tensor:
        """Drop finished rows when that pays, keeping the same number of rows per group."""
        running = (~self.finished[self.rows]).view(self.layout.prompt_mask.shape[0], -1)
        per_group = running.sum(dim=1)
        groups = per_group.nonzero().squeeze(-1)
        width = int(per_group.max())
        if len(groups) * width > _COMPACT_BELOW * running.numel():
            return tokens
        # Running rows first; where a group has fewer than ``width``, finished ones fill it up.
        first = running[groups].int().argsort(dim=1, descending=True, stable=True)[:, :width]
        keep = (groups[:, None] * running.shape[1] + first).flatten()
        self.layout.keep(groups, keep)
        self.rows = self.rows[keep]
        return tokens[keep]
