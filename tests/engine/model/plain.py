"""The plain formula: every completion in a row of its own, prompt and all, and full logits."""

from dataclasses import dataclass, replace

import torch
from torch.nn.utils.rnn import pad_sequence

from worldtune.engine.model.batch import Group, bins, pack

LENGTHS = {
    "one group": [(6, [4, 2, 5])],
    "completions of one token": [(5, [1, 1]), (3, [1])],
    "one token beside longer ones": [(4, [1, 6, 3]), (1, [2, 1])],
    "prompts of different length": [(9, [3, 4]), (2, [5, 1, 2]), (1, [1]), (6, [2])],
    "a single token after a single token": [(1, [1])],
}
"""Tokens of each prompt and of its completions."""


def make_groups(lengths, *, seed=3, vocabulary=37):
    """Groups of random tokens; advantages are exact in float32."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(count):
        return torch.randint(2, vocabulary, (count,), generator=generator).tolist()

    return [
        Group(
            tokens(prompt),
            [tokens(count) for count in completions],
            advantages=[((7 * i + 3 * k) % 5 - 1.75) / 2 for i in range(len(completions))],
        )
        for k, (prompt, completions) in enumerate(lengths)
    ]


@dataclass
class PlainRows:
    """All completions, padded: logp, entropy, is_token [completions, longest]."""

    logp: torch.Tensor
    entropy: torch.Tensor
    is_token: torch.Tensor


def plain_rows(model, groups, temperature=1.0, blocked=None):
    """One forward pass over padded rows of prompt and completion, with logits of every position.

    blocked: [vocabulary] tokens that may not be sampled, or None.
    """
    pairs = [(group.prompt, c) for group in groups for c in group.completions]
    longest = max(len(prompt) + len(completion) for prompt, completion in pairs)
    width = max(len(completion) for _, completion in pairs)
    ids = torch.zeros(len(pairs), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    place = torch.zeros(len(pairs), width, dtype=torch.long)
    is_token = torch.zeros(len(pairs), width, dtype=torch.bool)
    for row, (prompt, completion) in enumerate(pairs):
        end = len(prompt) + len(completion)
        ids[row, :end] = torch.tensor([*prompt, *completion])
        mask[row, :end] = 1
        for i in range(len(completion)):
            place[row, i] = len(prompt) + i
            is_token[row, i] = True
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits / temperature
    if blocked is not None:
        logits = logits.masked_fill(blocked, float("-inf"))
    rows = torch.arange(len(pairs))[:, None]
    shares = logits.softmax(-1)[rows, (place - 1).clamp(min=0)]
    logs = logits.log_softmax(-1)[rows, (place - 1).clamp(min=0)]
    logp = logs.gather(-1, ids[rows, place][..., None])[..., 0]
    entropy = -(shares * logs.masked_fill(shares == 0, 0.0)).sum(-1)
    return PlainRows(logp, entropy, is_token)


def plain_loss(model, groups, temperature=1.0):
    """The sum of advantage times log-probability, walked backwards."""
    rows = plain_rows(model, groups, temperature)
    advantages = torch.tensor([a for group in groups for a in group.advantages])
    loss = (rows.logp * advantages[:, None] * rows.is_token).sum()
    loss.backward()
    return float(loss.detach())


def table(groups, name, like, fill=0.0):
    """An attribute of groups as [completions, longest]."""
    rows = [row for group in groups for row in getattr(group, name)]
    result = torch.full_like(like, fill)
    for i, row in enumerate(rows):
        result[i, : len(row)] = torch.tensor(row, dtype=like.dtype)
    return result


def plain_policy_loss(config, ratio, logp, advantage):
    """Per token; the cases of the definitions instead of minima of products."""
    low, high = 1 - config.clip_low, 1 + config.clip_high
    if config.kind == "cispo":
        weight = ratio.detach().clamp(low, high)
        return -weight * advantage * logp
    good = -advantage * torch.where(ratio < high, ratio, high)
    bad = -advantage * torch.where(ratio > low, ratio, low)
    if config.dual_clip is not None:
        bad = torch.where(ratio > config.dual_clip, -advantage * config.dual_clip, bad)
    return torch.where(advantage > 0, good, torch.where(advantage < 0, bad, 0.0 * ratio))


def plain_total(twin, groups, config, *, temperature, num_targets=0, blocked=None):
    """The loss of an update; the last ``num_targets`` rows of groups are true completions."""
    rows = plain_rows(twin, groups, temperature, blocked)
    counts = rows.is_token.clone()
    if any(g.trained is not None for g in groups):
        full = [
            replace(g, trained=g.trained or [[True] * len(c) for c in g.completions])
            for g in groups
        ]
        counts = table(full, "trained", rows.logp) > 0
    is_truth = torch.zeros(len(counts), dtype=torch.bool)
    if num_targets:
        ends = torch.tensor([len(g.completions) for g in groups]).cumsum(0) - 1
        is_truth[ends] = True
    truth = counts & is_truth[:, None]
    counts = counts & ~is_truth[:, None]
    advantage = torch.tensor([a for g in groups for a in g.advantages], dtype=torch.float64)
    advantage = advantage[:, None].expand_as(rows.logp)
    old = rows.logp.detach()
    if groups[0].old_logp is not None:
        old = table(groups, "old_logp", rows.logp)
    log_ratio = torch.where(counts, rows.logp - old, 0.0)
    lengths = counts.sum(1, keepdim=True)
    if config.loss.kind == "gspo":
        log_ratio = (log_ratio.sum(1, keepdim=True) / lengths.clamp(min=1)).expand_as(rows.logp)
    per_token = plain_policy_loss(config.loss, log_ratio.exp(), rows.logp, advantage)
    if config.kl.coefficient:
        gap = table(groups, "reference", rows.logp) - rows.logp
        kinds = {"k1": -gap, "k2": gap**2 / 2, "k3": gap.exp() - 1 - gap}
        per_token = per_token + config.kl.coefficient * kinds[config.kl.estimator]
    per_token = per_token - config.entropy_coefficient * rows.entropy
    per_token = torch.where(counts, per_token, 0.0)
    num_rows = int((lengths > 0).sum())
    if config.loss.aggregation == "token":
        total = per_token.sum() / counts.sum()
    elif config.loss.aggregation == "sequence":
        total = (per_token.sum(1, keepdim=True) / lengths.clamp(min=1)).sum() / num_rows
    else:
        total = per_token.sum() / (num_rows * config.max_new_tokens)
    if num_targets:
        nll = -torch.where(truth, rows.logp, 0.0).sum() / truth.sum()
        total = total + config.sft_weight * nll
    return total


def gradients(model):
    return {
        name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()
    }


def assert_same_gradients(found, expected, tolerance, *, label=""):
    """Every gradient within ``tolerance`` of its own largest entry.

    Gradients that are zero in exact arithmetic (those of key biases) are held against a thousandth
    of the largest one.
    """
    assert found.keys() == expected.keys()
    assert any(g is not None for g in expected.values())
    scale = max(float(g.abs().max()) for g in expected.values() if g is not None)
    for name, known in expected.items():
        if known is None:
            assert found[name] is None, f"{label} {name} has a gradient"
            continue
        assert found[name] is not None, f"{label} {name} has no gradient"
        gap = float((found[name] - known).abs().max())
        size = max(float(known.abs().max()), 1e-3 * scale)
        assert gap <= tolerance * size, f"{label} {name}: {gap} of {size}"


def path_logp(policy, batch):
    """Log-probabilities of the targets of a packed batch, by torch's own log-softmax."""
    logits = policy.head.logits(policy.path.states(batch))
    return logits.log_softmax(-1).gather(-1, batch.targets[:, None])[:, 0]


def path_loss(policy, groups, tokens_per_pass=10_000):
    """What ``plain_loss`` computes, through a path."""
    total = 0.0
    for part in bins(groups, tokens_per_pass):
        batch = pack(part, device=policy.device)
        loss = (path_logp(policy, batch) * batch.advantages[batch.sequence]).sum()
        loss.backward()
        total += float(loss.detach())
    return total


@torch.no_grad()
def assert_decodes_like(policy, twin, prompts, *, tolerance, num_steps=6):
    """Three rollouts per prompt step by step, with compactions, against one full forward pass."""
    generator = torch.Generator().manual_seed(5)
    rows = [list(prompt) for prompt in prompts for _ in range(3)]
    states, decoder = policy.path.prefill(prompts, samples=3, max_new=num_steps)
    states = states.repeat_interleave(3, dim=0)
    running, groups, found = list(range(len(rows))), list(range(len(prompts))), []
    for step in range(num_steps - 1):
        places = [(row, len(rows[row]) - 1) for row in running]
        found += zip(places, policy.head.logits(states), strict=True)
        size = len(running) // len(groups)
        if step == 1:  # one row less per group
            keep = [g * size + i for g in range(len(groups)) for i in (0, 2)]
            decoder.keep(torch.arange(len(groups)), torch.tensor(keep))
            running = [running[i] for i in keep]
        if step == 2 and len(groups) > 1:  # one group less
            decoder.keep(torch.arange(1, len(groups)), torch.arange(size, len(running)))
            running, groups = running[size:], groups[1:]
        tokens = torch.randint(twin.config.vocab_size, (len(running),), generator=generator)
        states = decoder.step(tokens)
        for row, token in zip(running, tokens.tolist(), strict=True):
            rows[row].append(token)
    ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    mask = pad_sequence([torch.ones(len(row), dtype=torch.long) for row in rows], batch_first=True)
    every = twin(input_ids=ids, attention_mask=mask, use_cache=False).logits
    expected = torch.stack([every[place] for place, _ in found])
    logits = torch.stack([logits for _, logits in found])
    torch.testing.assert_close(logits, expected, rtol=tolerance, atol=tolerance)
