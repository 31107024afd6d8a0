"""From groups of completions to one packed row of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worldtune.engine.model.attention import GroupLayout, group_layout


@dataclass(frozen=True)
class Group:
    """One prompt and completions of it; for supervised training a single one.

    Attributes:
        prompt: token ids, at least one.
        completions: token ids of each, at least one token each.
        advantages: one value per completion, 1.0 everywhere for supervised training.
        old_logp: log-probabilities under the policy that sampled, one list per completion, or None.
        trained: per completion, whether each token enters the loss (forced tokens do not), or None
            for all.
    """

    prompt: Sequence[int]
    completions: Sequence[Sequence[int]]
    advantages: Sequence[float] = (1.0,)
    old_logp: Sequence[Sequence[float]] | None = None
    trained: Sequence[Sequence[bool]] | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens that a pass over this group feeds: the last one of a completion is never fed."""
        return len(self.prompt) + sum(len(c) - 1 for c in self.completions)

    @property
    def num_targets(self) -> int:
        """Completion tokens that enter the loss."""
        if self.trained is not None:
            return sum(map(sum, self.trained))
        return sum(map(len, self.completions))


@dataclass(frozen=True)
class PackedBatch:
    """Groups as one row.

    Attributes:
        input_ids, positions: [1, time].
        layout: who attends to whom.
        source: [targets] index into the row of the hidden state that predicts each target.
        targets: [targets] token ids.
        advantages: [targets] the advantage of the completion that each target belongs to.
        old_logp: [targets] nats, 0 where unknown.
    """

    input_ids: Tensor
    positions: Tensor
    layout: GroupLayout
    source: Tensor
    targets: Tensor
    advantages: Tensor
    old_logp: Tensor


def pack(groups: Sequence[Group], *, device: torch.device) -> PackedBatch:
    """Lay groups out in one row; a completion's positions go on where its prompt ends."""
    ids: list[int] = []
    positions: list[int] = []
    own_lengths: list[int] = []
    owner: list[int] = []
    source: list[int] = []
    targets: list[int] = []
    advantages: list[float] = []
    old_logp: list[float] = []
    for index, group in enumerate(groups):
        ids.extend(group.prompt)
        positions.extend(range(len(group.prompt)))
        last = len(ids) - 1
        for sample, completion in enumerate(group.completions):
            # The last prompt token predicts the first token of every completion of the group.
            sources = [last, *range(len(ids), len(ids) + len(completion) - 1)]
            keep = [True] * len(completion) if group.trained is None else group.trained[sample]
            known = group.old_logp[sample] if group.old_logp else [0.0] * len(completion)
            source.extend(s for s, k in zip(sources, keep, strict=True) if k)
            targets.extend(t for t, k in zip(completion, keep, strict=True) if k)
            old_logp.extend(p for p, k in zip(known, keep, strict=True) if k)
            advantages.extend([group.advantages[sample]] * sum(keep))
            ids.extend(completion[:-1])
            start = len(group.prompt)
            positions.extend(range(start, start + len(completion) - 1))
            own_lengths.append(len(completion) - 1)
            owner.append(index)
    layout = group_layout([len(g.prompt) for g in groups], own_lengths, owner, device=device)
    return PackedBatch(
        torch.tensor([ids], device=device),
        torch.tensor([positions], device=device),
        layout,
        torch.tensor(source, device=device),
        torch.tensor(targets, device=device),
        torch.tensor(advantages, device=device),
        torch.tensor(old_logp, device=device),
    )


def bins(groups: Sequence[Group], tokens_per_pass: int) -> list[list[Group]]:
    """Split groups into passes of at most ``tokens_per_pass`` tokens, or of one larger group.

    Groups are sorted by prompt length first, because attention pads prompts within a pass.
    """
    result: list[list[Group]] = []
    used = 0
    for group in sorted(groups, key=lambda g: (len(g.prompt), g.num_tokens)):
        if not result or used + group.num_tokens > tokens_per_pass:
            result.append([])
            used = 0
        result[-1].append(group)
        used += group.num_tokens
    return result
