"""Rollouts by the training weights themselves: several completions per prompt, each encoded once.

The loop keeps little: what was chosen and how likely it was, one row of a buffer per position.
Where completions end, what was forced and what is padding is worked out once, afterwards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor
from torch.nn.functional import pad

from worldtune.engine.model.path import Decoder
from worldtune.engine.model.policy import Policy
from worldtune.engine.rollout.plan import GenPlan, Rollouts, TokenSpec
from worldtune.engine.rollout.sampling import Sampling, choose, counter_uniform

_COMPACT_BELOW = 0.7
"""Finished rows are dropped once fewer than this share of the rows is still running."""

_LOOK_EVERY = {"cpu": 1}
"""Positions between looks at which rows are running; elsewhere a look waits for the device."""
_LOOK_EVERY_ELSEWHERE = 16


@dataclass
class BuiltinRollouts:
    """Decodes with the training weights themselves: nothing to synchronise, no mismatch.

    Attributes:
        policy: whose completions are drawn.
        spec: its vocabulary.
        weight_version: reported with the rollouts.
        cached_tokens: most tokens, of prompts and completions, whose keys and values are held at
            once. Larger calls run in parts, which changes no draw; one prompt is never split.
    """

    policy: Policy
    spec: TokenSpec
    weight_version: int = 0
    cached_tokens: int = 2**16

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
        """See ``RolloutEngine``. Raises ValueError for an empty prompt or an impossible plan."""
        plan.check(len(prompts))
        if not all(map(len, prompts)):
            empty = [place for place, prompt in enumerate(prompts) if not len(prompt)]
            raise ValueError(f"prompts {empty} have no token; give each one at least")
        parts = []
        was_training = self.policy.model.training
        self.policy.model.eval()
        try:
            for part in self._parts(prompts, group, plan):
                forced = None if plan.forced is None else plan.forced[part]
                decoding = _Decoding(
                    self,
                    prompts[part],
                    prompt_ids[part],
                    group=group,
                    plan=replace(plan, forced=forced),
                    sampling=sampling,
                )
                with self.policy.computing():
                    parts.append(decoding.run())
        finally:
            self.policy.model.train(was_training)
        return _joined(parts, padding=self.spec.pad)

    def _parts(
        self, prompts: Sequence[Sequence[int]], group: int, plan: GenPlan
    ) -> Iterator[slice]:
        """Cut the prompts into runs of at most ``cached_tokens`` tokens."""
        cuts, used = [0], 0
        for place, prompt in enumerate(prompts):
            cost = len(prompt) + group * plan.max_new
            if used and used + cost > self.cached_tokens:
                cuts.append(place)
                used = 0
            used += cost
        return (slice(*ends) for ends in pairwise([*cuts, len(prompts)]))


class _Decoding:
    """Prompts that are decoded side by side: the state of the loop over positions."""

    def __init__(
        self,
        engine: BuiltinRollouts,
        prompts: Sequence[Sequence[int]],
        prompt_ids: Sequence[int],
        *,
        group: int,
        plan: GenPlan,
        sampling: Sampling,
    ) -> None:
        self.policy, self.spec, self.version = engine.policy, engine.spec, engine.weight_version
        self.prompts, self.group_size, self.plan, self.sampling = prompts, group, plan, sampling
        device = self.policy.device
        num_rows = len(prompts) * group
        self.group = torch.arange(len(prompts), device=device).repeat_interleave(group)
        self.uniform = counter_uniform(
            sampling.seed,
            sampling.step,
            torch.tensor(prompt_ids, device=device).repeat_interleave(group),
            torch.arange(group, device=device).repeat(len(prompts)),
            torch.arange(plan.max_new, device=device)[:, None],
        )
        # One row per position, so that each step writes one contiguous run.
        self.ids = torch.full((plan.max_new, num_rows), self.spec.pad, device=device)
        self.logp = torch.zeros(self.ids.shape, dtype=self._precision(), device=device)
        self.stop = torch.tensor(sorted(plan.stop), dtype=torch.long, device=device)
        self.rows = torch.arange(num_rows, device=device)
        self.running = torch.ones(num_rows, dtype=torch.bool, device=device)
        self.forced = None if plan.forced is None else plan.forced.to(device).T.contiguous()
        everywhere = [] if self.forced is None else (self.forced >= 0).all(dim=1).tolist()
        self.is_given = everywhere or [False] * plan.max_new
        self.banned = None if plan.masks is None else ~plan.masks.to(device)
        self.mask_at: list[int] = [] if plan.allowed is None else plan.allowed.tolist()

    def _precision(self) -> torch.dtype:
        """float64 for a float64 model, else float32."""
        dtype = next(self.policy.model.parameters()).dtype
        return torch.float64 if dtype == torch.float64 else torch.float32

    def run(self) -> Rollouts:
        """Prefill, then one position at a time until every row has stopped."""
        plan = self.plan
        states, decoder = self.policy.path.prefill(
            self.prompts, samples=self.group_size, max_new=plan.max_new
        )
        states = states.repeat_interleave(self.group_size, dim=0)
        look_every = _LOOK_EVERY.get(states.device.type, _LOOK_EVERY_ELSEWHERE)
        for time in range(plan.max_new):
            tokens = self._choose(states, time)
            if time + 1 == plan.max_new:
                break
            if plan.stop:
                self.running &= ~self._stops(tokens)
                if time % look_every == 0:
                    num_running = int(self.running.sum())
                    if num_running == 0:
                        break
                    if num_running <= _COMPACT_BELOW * len(self.rows):
                        tokens = self._compact(decoder, tokens)
            states = decoder.step(tokens)
        return self._result(time + 1)

    def _choose(self, states: Tensor, time: int) -> Tensor:
        """Choose the token of every row at this position, record it and return it."""
        given = None if self.forced is None else self.forced[time, self.group[self.rows]]
        if given is not None and self.is_given[time]:
            self.ids[time].index_copy_(0, self.rows, given)
            return given
        logits = self.policy.head.logits(states)
        if self.banned is not None:
            logits = logits.masked_fill(self.banned[self.mask_at[time]], -torch.inf)
        tokens, logp = choose(logits, self.uniform[time], self.sampling)
        if given is not None:
            tokens = torch.where(given >= 0, given, tokens)
        self.ids[time].index_copy_(0, self.rows, tokens)
        self.logp[time].index_copy_(0, self.rows, logp.to(self.logp.dtype))
        return tokens

    def _stops(self, tokens: Tensor) -> Tensor:
        """Which token ids end a completion."""
        return (tokens[..., None] == self.stop).any(dim=-1)

    def _compact(self, decoder: Decoder, tokens: Tensor) -> Tensor:
        """Drop finished rows, as far as the groups stay equally large; returns what is left."""
        running = self.running.view(-1, self.group_size)
        per_group = running.sum(dim=1)
        groups = per_group.nonzero().squeeze(-1)
        width = int(per_group.max())
        if len(groups) * width > _COMPACT_BELOW * running.numel():
            return tokens
        # Running rows first; where a group has fewer than ``width``, finished ones fill it up.
        first = running[groups].int().argsort(dim=1, descending=True, stable=True)[:, :width]
        keep = (groups[:, None] * self.group_size + first).flatten()
        decoder.keep(groups, keep)
        self.rows, self.running, self.group_size = self.rows[keep], self.running[keep], width
        self.uniform = self.uniform[:, keep]
        return tokens[keep]

    def _result(self, num_positions: int) -> Rollouts:
        """Find where each completion ends and clear what was decoded beyond."""
        ids, logp = self.ids[:num_positions].T, self.logp[:num_positions].T
        stops = self._stops(ids)
        finished = stops.any(dim=1)
        lengths = torch.where(finished, stops.int().argmax(dim=1) + 1, num_positions)
        longest = int(lengths.max())
        inside = torch.arange(longest, device=ids.device) < lengths[:, None]
        chosen = inside
        if self.forced is not None:
            chosen = inside & (self.forced[:longest].T[self.group] < 0)
        return Rollouts(
            ids=torch.where(inside, ids[:, :longest], self.spec.pad),
            lengths=lengths,
            logp=torch.where(chosen, logp[:, :longest], 0.0),
            loss_mask=chosen,
            group=self.group,
            finished=finished if self.plan.stop else torch.ones_like(finished),
            weight_version=self.version,
        )


def _joined(parts: Sequence[Rollouts], padding: int) -> Rollouts:
    """Parts of one call, one after the other."""
    if len(parts) == 1:
        return parts[0]
    longest = max(part.ids.shape[1] for part in parts)

    def wide(rows: list[Tensor], fill: float) -> Tensor:
        return torch.cat([pad(r, (0, longest - r.shape[1]), value=fill) for r in rows])

    first = [0, *accumulate(int(part.group[-1]) + 1 for part in parts)]
    return Rollouts(
        ids=wide([part.ids for part in parts], padding),
        lengths=torch.cat([part.lengths for part in parts]),
        logp=wide([part.logp for part in parts], 0.0),
        loss_mask=wide([part.loss_mask for part in parts], False),
        group=torch.cat([part.group + n for part, n in zip(parts, first, strict=False)]),
        finished=torch.cat([part.finished for part in parts]),
        weight_version=parts[0].weight_version,
    )
