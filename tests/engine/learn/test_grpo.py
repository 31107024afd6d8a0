"""Reinforcement learning: what reaches the loss, and a reward that rises."""

import json
import math

import pytest
import torch

from tests.engine.tiny import (
    assert_same_weights,
    colour_policy,
    colour_rows,
    colour_task,
    plain_logp,
    share_of_red,
    weights,
)
from worldtune.config import RlvrConfig, RlvrOptimizerConfig
from worldtune.engine.learn.experience import Collector, SampledGroup
from worldtune.engine.learn.grpo import Grpo, Member, train_grpo
from worldtune.engine.learn.learner import Learner
from worldtune.engine.learn.order import Order
from worldtune.engine.learn.rewards import Scored, Scorer
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.runtime.means import Means
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.task.predict import Completion
from worldtune.engine.task.text_task import Example

SINGLE = Processes.single()


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


def frozen_reference():
    reference = colour_policy()
    reference.model.requires_grad_(False)
    return reference


def train(folder, settings, *, seed=1, reward=share_of_red):
    task = colour_task(reward)
    examples = task.encode(colour_rows())
    policy, reference = colour_policy(), frozen_reference()
    summary = train_grpo(
        policy,
        reference,
        task,
        examples,
        examples,
        settings,
        processes=SINGLE,
        seed=seed,
        folder=folder,
    )
    return summary, policy, reference


def log_of(folder):
    return [json.loads(x) for x in (folder / "metrics.jsonl").read_text().splitlines()]


def algorithm(settings, *, reward=share_of_red, policy=None, reference=None):
    """The algorithm on the colour task, ready to take single steps."""
    task, policy = colour_task(reward), policy or colour_policy()
    learner = Learner(policy, settings, processes=SINGLE)
    engine = BuiltinRollouts(policy, task.spec)
    scorer = Scorer(task, settings.reward, settings.overlong, settings.max_new_tokens)
    examples = task.encode(colour_rows())
    order = Order(1, range(len(examples)))
    collector = Collector(engine, task, scorer, examples, settings, SINGLE, order)
    return Grpo(learner, collector, reference or frozen_reference(), settings)


def member(rewards, **known):
    """A group of completions of one and two tokens with these rewards."""
    completions = [
        Completion((6, 1), (-0.5, -1.0), (True, False), True),
        Completion((7,), (-2.0,), (True,), False),
    ]
    scores = [
        Scored(r, truncated=not c.finished) for r, c in zip(rewards, completions, strict=True)
    ]
    sampled = SampledGroup(0, Example(0, {}, (3, 4), (5, 8, 1)), completions, scores)
    return Member(sampled, **({"old_logp": None, "reference": None} | known))


def test_groups_carry_advantages_and_leave_forced_tokens_out():
    made = algorithm(config())
    group = made._group(member([1.0, 0.0]), [0.7, -0.7])
    assert group.prompt == (3, 4)
    assert group.completions == [(6, 1), (7,)]
    assert group.advantages == [0.7, -0.7]
    assert group.trained == [(True, False), (True,)]


def test_completions_that_were_cut_off_can_be_left_out():
    made = algorithm(config(overlong={"mask_truncated": True}))
    assert made._group(member([1.0, 0.0]), [0.7, -0.7]).trained == [(True, False), (False,)]


def test_the_true_completion_joins_the_group_where_it_is_learnt_from():
    made = algorithm(config(sft_weight=0.5))
    known = [[-1.0, -1.0], [-1.0]]
    group = made._group(member([1.0, 0.0], old_logp=known, reference=known), [0.7, -0.7])
    assert group.completions == [(6, 1), (7,), (5, 8, 1)]
    assert group.advantages == [0.7, -0.7, 0.0]
    assert group.trained == [(True, False), (True,), [True] * 3]
    assert group.old_logp == group.reference == [*known, [0.0] * 3]


@pytest.mark.parametrize(
    ("estimator", "penalties"),
    [
        # The second token of the first completion was forced: nothing is paid for it.
        ("k1", (0.5, -1.0)),
        ("k2", (0.125, 0.5)),
        ("k3", (math.exp(-0.5) - 0.5, math.e - 2.0)),
    ],
)
def test_the_divergence_can_be_taken_off_the_reward(estimator, penalties):
    made = algorithm(config(kl={"coefficient": 0.5, "estimator": estimator, "place": "reward"}))
    old, known = [[-0.5, -1.0], [-2.0]], [[-1.0, -2.0], [-1.0]]
    found = made._rewards(member([3.0, 2.0], old_logp=old, reference=known))
    expected = [3.0 - 0.5 * penalties[0], 2.0 - 0.5 * penalties[1]]
    assert found.tolist() == pytest.approx(expected, rel=1e-6)


def test_the_divergence_in_the_loss_leaves_the_reward_alone():
    made = algorithm(config(kl={"coefficient": 0.5}))
    known = [[-1.0, -2.0], [-1.0]]
    assert made._rewards(member([3.0, 2.0], old_logp=known, reference=known)).tolist() == [3.0, 2.0]


@pytest.mark.parametrize(
    ("sampling", "is_recomputed"), [({}, False), ({"top_k": 3}, True), ({"min_p": 0.2}, True)]
)
def test_old_log_probabilities_are_those_of_the_whole_distribution(sampling, is_recomputed):
    made = algorithm(config(sampling={"temperature": 0.8} | sampling))
    batch = made.collector.collect(0)
    (first, *_), *_ = made._log_probabilities(batch, 1, Means())
    model = made.learner.policy.model
    twin = colour_policy().model
    twin.set_attn_implementation("sdpa")
    assert_same_weights(weights(model), weights(twin))
    prompt = list(first.sampled.example.prompt)
    for completion, old in zip(first.sampled.completions, first.old_logp, strict=True):
        expected = plain_logp(twin, prompt, list(completion.ids), 0.8).tolist()
        assert old == pytest.approx(expected, abs=1e-4)
        assert (old == completion.logp) != is_recomputed


def test_one_update_after_sampling_has_a_ratio_of_exactly_one():
    made = algorithm(config(batch_prompts=8, update_prompts=8, group_size=8))
    values = made.step(0)
    assert values["clip_fraction"] == 0
    assert values["kl"] == pytest.approx(0.0, abs=1e-6)
    (update,) = made._log_probabilities(made.collector.collect(1), 1, Means())
    assert {m.old_logp for m in update} == {None}


def test_groups_without_signal_change_the_loss_of_nothing_but_are_counted():
    flat, rising = [1.0, 1.0], [1.0, 0.0]
    gradients = {}
    for key, groups in {"both": (rising, flat), "twice": (rising, rising)}.items():
        made = algorithm(config(advantage="dr_grpo"))
        (packed,) = made._with_advantages([[member(r) for r in groups]])
        made._add_gradient(packed, Means())
        gradients[key] = [p.grad.clone() for p in made.learner.policy.model.parameters()]
    for one, two in zip(gradients["both"], gradients["twice"], strict=True):
        torch.testing.assert_close(2 * one, two, rtol=1e-5, atol=1e-7)


def test_dynamic_sampling_replaces_groups_that_teach_nothing():
    rare = {"calls": 0}

    def every_third(answer, completion):
        rare["calls"] += 1
        return float(rare["calls"] % 4 == 0 and answer.startswith(("red", "blue", "pink")))

    settings = config(dynamic_sampling={"max_rounds": 6}, batch_prompts=3, update_prompts=3)
    made = algorithm(settings, reward=every_third)
    batch = made.collector.collect(0)
    (update,) = batch.updates
    assert len(update) == 3
    assert all(group.has_signal for group in update)
    assert made.collector.cursor == len(batch.sampled) > 3
    assert [group.place for group in batch.sampled] == list(range(len(batch.sampled)))


def test_dynamic_sampling_stops_at_its_cap_and_fills_the_step_up():
    settings = config(dynamic_sampling={"max_rounds": 3})
    made = algorithm(settings, reward=lambda answer, completion: 0.5)
    batch = made.collector.collect(0)
    assert made.collector.cursor == len(batch.sampled) == 12
    assert [len(update) for update in batch.updates] == [2, 2]
    assert made.step(1)["zero_variance_groups"] == 1.0


def test_the_reference_follows_the_policy_where_that_is_wanted(tmp_path):
    settings = config(kl={"coefficient": 0.1, "sync_every": 3, "sync_mix": 0.5}, validate_every=0)
    _, policy, reference = train(tmp_path, settings)
    start = weights(colour_policy().model)
    moved = weights(reference.model)
    assert any(not torch.equal(moved[name], start[name]) for name in start)
    assert any(not torch.equal(moved[name], p) for name, p in weights(policy.model).items())


@pytest.mark.parametrize(
    "options",
    [{}, {"kl": {"coefficient": 0.1, "sync_every": 2}}, {"dynamic_sampling": {"max_rounds": 3}}],
    ids=["plain", "moving reference", "dynamic sampling"],
)
def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path, monkeypatch, options):
    _, expected, _ = train(tmp_path / "whole", config(**options))
    whole_step = Grpo.step

    def failing(self, step):
        if step == 5:
            raise InterruptedError
        return whole_step(self, step)

    monkeypatch.setattr(Grpo, "step", failing)
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", config(**options))
    monkeypatch.undo()
    _, found, _ = train(tmp_path / "cut", config(**options))
    assert (tmp_path / "cut/metrics.jsonl").read_bytes() == (
        tmp_path / "whole/metrics.jsonl"
    ).read_bytes()
    assert_same_weights(weights(found.model), weights(expected.model))


@pytest.mark.parametrize(
    "preset", [None, "paper", "dapo", "dr_grpo", "gspo", "cispo", "rloo", "reinforce_pp"]
)
def test_the_reward_rises_by_every_algorithm_and_the_reference_stays(tmp_path, preset):
    settings = config(
        preset=preset,
        steps=30,
        batch_prompts=8,
        update_prompts=8,
        group_size=8,
        validate_every=0,
        optimizer=RlvrOptimizerConfig(learning_rate=0.005),
    )
    _, _, reference = train(tmp_path, settings)
    log = log_of(tmp_path)
    first = sum(line["reward/mean"] for line in log[:3]) / 3
    last = sum(line["reward/mean"] for line in log[-3:]) / 3
    assert first < 0.35
    assert last > first + 0.4
    assert log[20]["kl"] > log[0]["kl"]
    entropy = [line["entropy"] for line in log if "entropy" in line]
    assert entropy[-1] < entropy[0]
    assert_same_weights(weights(reference.model), weights(colour_policy().model))


def test_the_supervised_term_teaches_the_true_completion(tmp_path):
    settings = config(steps=40, sft_weight=1.0, batch_prompts=8, update_prompts=8, validate_every=0)
    summary, _, _ = train(tmp_path, settings, reward=lambda answer, completion: 0.0)
    log = log_of(tmp_path)
    assert log[-1]["sft_loss"] < 0.5 * log[0]["sft_loss"]
    assert summary["val/metric"] > 0.5


def test_every_step_is_logged_with_all_its_columns(tmp_path):
    train(tmp_path, config(batch_prompts=8, group_size=8, kl={"measure_every": 2}))
    log = log_of(tmp_path)
    columns = {
        "step",
        "reward/mean",
        "reward/std",
        "reward/twice",
        "reward/errors",
        "reward/timeouts",
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
        assert ("kl" in line) == (line["step"] % 2 == 0)
        assert line["reward/twice"] == pytest.approx(2 * line["reward/mean"], abs=1e-6)
        shares = ("completion/truncated", "parse_failure_rate", "zero_variance_groups")
        assert all(0 <= line[name] <= 1 for name in shares)
        assert 1 <= line["completion/length"] <= 4


@pytest.mark.parametrize(("update_prompts", "updates"), [(4, 1), (2, 2), (1, 4)])
def test_a_step_is_split_into_updates_of_so_many_prompts(update_prompts, updates):
    made = algorithm(config(update_prompts=update_prompts))
    batch = made.collector.collect(0)
    assert [len(update) for update in batch.updates] == [update_prompts] * updates


def test_the_same_seed_gives_the_same_run_and_another_one_does_not(tmp_path):
    _, first, _ = train(tmp_path / "a", config())
    _, second, _ = train(tmp_path / "b", config())
    train(tmp_path / "c", config(), seed=2)
    assert log_of(tmp_path / "a") == log_of(tmp_path / "b")
    assert_same_weights(weights(first.model), weights(second.model))
    assert log_of(tmp_path / "a") != log_of(tmp_path / "c")
