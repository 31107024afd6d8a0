"""From groups of completions to one packed row of tokens.

Each prompt stands in the row once, directly followed by the completions sampled from it. A
completion's last token is never fed: nothing is predicted after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """One prompt and completions of it; for supervised training a single one.

    Attributes:
        prompt: token ids, at least one.
        completions: token ids of each, at least one token each.
        advantages: one value per completion, 1.0 everywhere for supervised training.
        old_logp: log-probabilities under the policy that sampled, one list per completion, or None.
        reference: log-probabilities under the reference policy, likewise, or None.
        trained: per completion, whether each token enters the loss (forced tokens do not), or None
            for all.
    """

    prompt: Sequence[int]
    completions: Sequence[Sequence[int]]
    advantages: Sequence[float] = (1.0,)
    old_logp: Sequence[Sequence[float]] | None = None
    reference: Sequence[Sequence[float]] | None = None
    trained: Sequence[Sequence[bool]] | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens that a pass over this group feeds: the last one of a completion is never fed."""
        return len(self.prompt) + sum(map(len, self.completions)) - len(self.completions)

    @property
    def num_targets(self) -> int:
        """Completion tokens that enter the loss."""
        if self.trained is not None:
            return sum(map(sum, self.trained))
        return sum(map(len, self.completions))


@dataclass(frozen=True)
class PackedBatch:
    """Groups as one row: a prompt, its completions less their last token, the next prompt ...

    Attributes:
        groups: what was packed.
        input_ids: [time].
        positions: [time] from 0 in a prompt; a completion goes on where its prompt ends.
        prompt_lengths: tokens of each prompt.
        own_lengths: fed tokens of each completion, >= 0, ordered by group.
        owner: the prompt of each completion, non-decreasing.
        source: [targets] index into the row of the hidden state that predicts each target.
        targets: [targets] token ids.
        sequence: [targets] the completion, counted over the batch, that each target belongs to.
        advantages: [completions].
        old_logp: [targets] nats, 0 where no group has any.
        reference: [targets] nats, or None where no group has any.
    """

    groups: tuple[Group, ...]
    input_ids: Tensor
    positions: Tensor
    prompt_lengths: list[int]
    own_lengths: list[int]
    owner: list[int]
    source: Tensor
    targets: Tensor
    sequence: Tensor
    advantages: Tensor
    old_logp: Tensor
    reference: Tensor | None


def pack(groups: Sequence[Group], *, device: torch.device) -> PackedBatch:
    """Lay groups out in one row; see ``PackedBatch``."""
    completions = [c for group in groups for c in group.completions]
    prompt_lengths = [len(group.prompt) for group in groups]
    own_lengths = [len(c) - 1 for c in completions]
    owner = [index for index, group in enumerate(groups) for _ in group.completions]
    ids: list[int] = []
    prompt_end, start = [], []
    for group in groups:
        ids.extend(group.prompt)
        prompt_end.append(len(ids))
        for completion in group.completions:
            start.append(len(ids))
            ids.extend(completion[:-1])
    lengths = torch.tensor(own_lengths) + 1
    sequence = torch.arange(len(completions)).repeat_interleave(lengths)
    # Each target is predicted one place before its own, the first at the last token of its prompt.
    first = lengths.cumsum(0) - lengths
    source = torch.arange(len(sequence)) + (torch.tensor(start) - 1 - first)[sequence]
    source[first] = torch.tensor(prompt_end)[torch.tensor(owner)] - 1
    targets = _flat(completions, torch.long)
    old_logp = _flat(_known(groups, [group.old_logp for group in groups]), torch.float32)
    reference = None
    if any(group.reference is not None for group in groups):
        reference = _flat(_known(groups, [group.reference for group in groups]), torch.float32)
    if any(group.trained is not None for group in groups):
        keep = _flat(_trained(groups), torch.bool)
        source, targets, sequence = source[keep], targets[keep], sequence[keep]
        old_logp = old_logp[keep]
        reference = None if reference is None else reference[keep]
    return PackedBatch(
        groups=tuple(groups),
        input_ids=torch.tensor(ids, device=device),
        positions=_positions(groups).to(device),
        prompt_lengths=prompt_lengths,
        own_lengths=own_lengths,
        owner=owner,
        source=source.to(device),
        targets=targets.to(device),
        sequence=sequence.to(device),
        advantages=_flat([group.advantages for group in groups], torch.float32).to(device),
        old_logp=old_logp.to(device),
        reference=None if reference is None else reference.to(device),
    )


def _flat(rows: Iterable[Sequence[float]], dtype: torch.dtype) -> Tensor:
    return torch.tensor(list(chain.from_iterable(rows)), dtype=dtype)


def _known(
    groups: Sequence[Group], values: Sequence[Sequence[Sequence[float]] | None]
) -> Iterable[Sequence[float]]:
    """One row of values per completion, zeros where no group has any.

    Raises ValueError where some groups have values and others have none: zeros would be taken for
    log-probabilities.
    """
    missing = sum(rows is None for rows in values)
    if missing not in (0, len(values)):
        raise ValueError(
            f"{missing} of {len(values)} groups lack log-probabilities that the others have; give "
            "them to all groups of a pass or to none"
        )
    for group, rows in zip(groups, values, strict=True):
        yield from rows or ([0.0] * len(c) for c in group.completions)


def _trained(groups: Sequence[Group]) -> Iterable[Sequence[bool]]:
    for group in groups:
        yield from group.trained or ([True] * len(c) for c in group.completions)


def _positions(groups: Sequence[Group]) -> Tensor:
    """[time] the position of every fed token within prompt and completion."""
    spans = []
    for group in groups:
        count = len(group.prompt)
        spans.append(range(count))
        spans.extend(range(count, count + len(c) - 1) for c in group.completions)
    return _flat(spans, torch.long)


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
