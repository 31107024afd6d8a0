"""Reinforcement learning: the gradient against the plain formula, and a reward that rises."""

import json
import math

import pytest
import torch

from tests.engine.tiny import (
    assert_same_weights,
    clean_float64,
    colour_policy,
    colour_rows,
    colour_task,
    plain_copy,
    plain_logp,
    share_of_red,
    tiny_model,
    weights,
)
from worldtune.config import RlvrConfig, RlvrOptimizerConfig
from worldtune.contracts import Score
from worldtune.engine.learn import grpo
from worldtune.engine.learn.grpo import (
    Sampled,
    accumulate_policy_gradient,
    build_groups,
    sample,
    train_grpo,
)
from worldtune.engine.model.batch import Group
from worldtune.engine.model.policy import as_policy
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.task.predict import Completion
from worldtune.engine.task.text_task import Example


def config(**changes):
    values = {
        "steps": 6,
        "batch_prompts": 4,
        "update_prompts": 2,
        "group_size": 4,
        "max_new_tokens": 4,
        "checkpoint_every": 2,
        "validate_every": 3,
        "optimizer": RlvrOptimizerConfig(learning_rate=0.005),
    }
    return RlvrConfig(**(values | changes))


def train(folder, settings, *, seed=1):
    task = colour_task(share_of_red)
    examples = task.encode(colour_rows())
    policy, reference = colour_policy(), colour_policy()
    reference.model.requires_grad_(False)
    summary = train_grpo(
        policy, reference, task, examples, examples, settings, seed=seed, folder=folder
    )
    return summary, policy, reference


def log_without_timing(folder):
    lines = [json.loads(x) for x in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "timing"} for line in lines]


GROUPS = [
    Group(
        [3, 4, 5],
        [[6, 7, 1], [8], [9, 10]],
        advantages=(1.25, -0.75, -0.5),
        old_logp=[[-2.0, -1.5, -4.0], [-3.0], [-2.5, -5.0]],
    ),
    Group(
        [11],
        [[2, 1], [12, 13, 14, 15], [1]],
        advantages=(0.5, 0.5, -1.0),
        old_logp=[[-1.0, -6.0], [-3.5, -2.0, -4.5, -3.0], [-2.25]],
        trained=[[True, True], [True, False, True, True], [True]],
    ),
    Group([5, 6, 7, 8, 9], [[3, 3]], advantages=(2.0,), old_logp=[[-30.0, -0.125]]),
]


def plain_objective(model, reference, settings):
    """The loss written token by token over rows of their own; sums of its parts."""
    losses, clipped, kls, entropies = [], 0, 0.0, 0.0
    for group in GROUPS:
        for i, completion in enumerate(group.completions):
            logp = plain_logp(model, group.prompt, completion, settings.temperature)
            known = plain_logp(reference, group.prompt, completion, settings.temperature).detach()
            for t in range(len(completion)):
                if group.trained and not group.trained[i][t]:
                    continue
                advantage = group.advantages[i]
                ratio = (logp[t] - group.old_logp[i][t]).exp()
                limited = ratio.clamp(1 - settings.clip_low, 1 + settings.clip_high)
                is_clipped = bool(limited * advantage < ratio * advantage)
                surrogate = (limited if is_clipped else ratio) * advantage
                kl = (known[t] - logp[t]).exp() - (known[t] - logp[t]) - 1
                ids = torch.tensor([[*group.prompt, *completion[:t]]])
                log_all = model(input_ids=ids, use_cache=False).logits[0, -1]
                log_all = (log_all / settings.temperature).log_softmax(-1)
                entropy = -(log_all.exp() * log_all).sum()
                losses.append(
                    -surrogate
                    + settings.kl_coefficient * kl
                    - settings.entropy_coefficient * entropy
                )
                clipped += is_clipped
                kls += float(kl.detach())
                entropies += float(entropy.detach())
    return sum(losses), len(losses), clipped, kls, entropies


@pytest.mark.parametrize("tokens_per_pass", [1, 8, 1000])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kl_coefficient": 0.25},
        {"entropy_coefficient": 0.125, "temperature": 0.75},
        {"clip_low": 0.1, "clip_high": 0.5, "kl_coefficient": 0.5, "entropy_coefficient": 0.25},
    ],
    ids=["plain", "kl", "entropy", "all"],
)
def test_the_gradient_is_that_of_the_plain_formula_over_all_tokens(
    monkeypatch, options, tokens_per_pass
):
    clean_float64(monkeypatch, "qwen2")
    settings = config(tokens_per_pass=tokens_per_pass, **options)
    model = tiny_model(dtype=torch.float64, kv_heads=2)
    reference = tiny_model(dtype=torch.float64, kv_heads=2, seed=1)
    twin, twin_reference = plain_copy(model), plain_copy(reference)
    loss, tokens, clipped, kl, entropy = plain_objective(twin, twin_reference, settings)
    (loss / tokens).backward()
    sums = accumulate_policy_gradient(as_policy(model), as_policy(reference), GROUPS, settings)
    assert (sums.tokens, sums.clipped) == (tokens, clipped) == (14, clipped)
    assert clipped > 0
    assert sums.loss == pytest.approx(float(loss.detach()), rel=1e-10)
    assert sums.kl == pytest.approx(kl, rel=1e-10)
    assert sums.entropy == pytest.approx(entropy, rel=1e-10)
    for (name, p), (_, q) in zip(model.named_parameters(), twin.named_parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-8, atol=1e-10, msg=name)


def test_rollouts_are_on_policy_so_that_nothing_is_clipped_at_first():
    task, policy, settings = colour_task(share_of_red), colour_policy(), config(temperature=0.8)
    engine = BuiltinRollouts(policy, task.spec)
    examples = task.encode(colour_rows())[:4]
    sampled = sample(engine, task, examples, settings, seed=1, step=0)
    groups = build_groups(sampled, settings)
    sums = accumulate_policy_gradient(policy, colour_policy(), groups, settings)
    assert sums.clipped == 0
    expected = -sum(
        a * len(c) for g in groups for a, c in zip(g.advantages, g.completions, strict=True)
    )
    assert sums.loss == pytest.approx(expected, abs=1e-3)
    assert sums.kl == pytest.approx(0.0, abs=1e-4)


def test_groups_carry_their_own_advantages_and_log_probabilities():
    example = Example(0, {}, (3, 4), (5,))
    completions = [[Completion((6, 1), (-0.5, -1.0), True), Completion((7,), (-2.0,), False)]]
    scores = [[Score(1.0), Score(0.0)]]
    (group,) = build_groups(Sampled([example], completions, scores), config())
    assert group.prompt == (3, 4)
    assert group.completions == [(6, 1), (7,)]
    assert group.old_logp == [(-0.5, -1.0), (-2.0,)]
    assert group.advantages == pytest.approx([math.sqrt(0.5), -math.sqrt(0.5)], abs=1e-4)


def test_the_reward_rises_and_the_reference_stays(tmp_path):
    settings = config(steps=30, batch_prompts=8, update_prompts=8, group_size=8, validate_every=0)
    _, _, reference = train(tmp_path, settings)
    log = log_without_timing(tmp_path)
    first = sum(line["reward/mean"] for line in log[:3]) / 3
    last = sum(line["reward/mean"] for line in log[-3:]) / 3
    assert first < 0.3
    assert last > first + 0.4
    assert log[-1]["kl"] > log[0]["kl"]
    assert log[-1]["entropy"] < log[0]["entropy"]
    assert_same_weights(weights(reference.model), weights(colour_policy().model))


def test_every_step_is_logged_with_all_its_columns(tmp_path):
    train(tmp_path, config())
    log = log_without_timing(tmp_path)
    columns = {
        "step",
        "reward/mean",
        "reward/std",
        "reward/twice",
        "kl",
        "entropy",
        "clip_fraction",
        "loss",
        "grad_norm",
        "learning_rate",
        "completion/length",
        "completion/truncated",
        "parse_failure_rate",
        "zero_variance_groups",
    }
    assert [line["step"] for line in log] == list(range(6))
    for line in log:
        assert columns <= line.keys()
        assert all(math.isfinite(line[name]) for name in columns)
        assert line["reward/twice"] == pytest.approx(2 * line["reward/mean"], abs=1e-6)
        shares = ("completion/truncated", "parse_failure_rate", "zero_variance_groups")
        assert all(0 <= line[name] <= 1 for name in shares)
        assert 1 <= line["completion/length"] <= 4


@pytest.mark.parametrize(("update_prompts", "updates"), [(4, 1), (2, 2), (1, 4)])
def test_a_step_is_split_into_updates_of_so_many_prompts(
    tmp_path, monkeypatch, update_prompts, updates
):
    sizes = []

    def counted(policy, reference, groups, settings):
        sizes.append(len(groups))
        return accumulate_policy_gradient(policy, reference, groups, settings)

    monkeypatch.setattr(grpo, "accumulate_policy_gradient", counted)
    train(tmp_path, config(steps=1, update_prompts=update_prompts))
    assert sizes == [update_prompts] * updates


def test_the_same_seed_gives_the_same_run_and_another_one_does_not(tmp_path):
    _, first, _ = train(tmp_path / "a", config())
    _, second, _ = train(tmp_path / "b", config())
    train(tmp_path / "c", config(), seed=2)
    assert log_without_timing(tmp_path / "a") == log_without_timing(tmp_path / "b")
    assert_same_weights(weights(first.model), weights(second.model))
    assert log_without_timing(tmp_path / "a") != log_without_timing(tmp_path / "c")


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2, 5])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path, monkeypatch, after):
    _, expected, _ = train(tmp_path / "whole", config())
    calls = iter(range(100))

    def failing(*args, **options):
        if next(calls) == after:
            raise Interrupted
        return sample(*args, **options)

    monkeypatch.setattr(grpo, "sample", failing)
    with pytest.raises(Interrupted):
        train(tmp_path / "cut", config())
    monkeypatch.undo()
    _, found, _ = train(tmp_path / "cut", config())
    assert log_without_timing(tmp_path / "cut") == log_without_timing(tmp_path / "whole")
    assert_same_weights(weights(found.model), weights(expected.model))
