"""Supervised training on a task that a tiny model can learn."""

import json

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
    tiny_model,
    weights,
)
from worldtune.config import OptimizerConfig, SftConfig
from worldtune.engine.learn import sft
from worldtune.engine.learn.learner import Learner
from worldtune.engine.learn.sft import accumulate_likelihood, train_sft
from worldtune.engine.model.policy import as_policy
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.task.text_task import Example

OPTIMIZER = OptimizerConfig(kind="muon", learning_rate=0.01, muon_learning_rate=0.02)


def config(**changes):
    values = {
        "steps": 12,
        "batch_rows": 3,
        "checkpoint_every": 4,
        "validate_every": 5,
        "max_new_tokens": 4,
        "optimizer": OPTIMIZER,
    }
    return SftConfig(**(values | changes))


def train(folder, settings, *, seed=1, policy=None):
    task = colour_task()
    examples = task.encode(colour_rows())
    policy = policy or colour_policy()
    summary = train_sft(
        policy,
        task,
        examples,
        examples,
        settings,
        processes=Processes.single(),
        seed=seed,
        folder=folder,
    )
    return summary, policy


def log_of(folder):
    return [json.loads(x) for x in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("tokens_per_pass", [1, 9, 1000])
def test_the_gradient_is_that_of_the_mean_over_all_completion_tokens(monkeypatch, tokens_per_pass):
    clean_float64(monkeypatch, "qwen2")
    model = tiny_model(dtype=torch.float64)
    twin = plain_copy(model)
    data = [((3, 4, 5), (6, 1)), ((7,), (8, 9, 10, 1)), ((2, 3, 2, 3), (1,))]
    examples = [Example(i, {}, prompt, target) for i, (prompt, target) in enumerate(data)]
    settings = config(tokens_per_pass=tokens_per_pass)
    learner = Learner(as_policy(model), settings, processes=Processes.single())
    found = accumulate_likelihood(learner, examples)
    expected = -sum(plain_logp(twin, p, t).sum() for p, t in data) / 7
    expected.backward()
    assert found == pytest.approx(float(expected.detach()), rel=1e-12)
    for (name, p), (_, q) in zip(model.named_parameters(), twin.named_parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-11, atol=1e-13, msg=name)


def test_the_task_is_learnt(tmp_path):
    summary, _ = train(tmp_path, config(steps=60, batch_rows=8, validate_every=0))
    log = log_of(tmp_path)
    assert log[0]["loss"] > 1.5
    assert log[-1]["loss"] < 0.1
    assert summary["val/metric"] == 1.0
    assert summary["steps"] == 60
    assert summary["wall_s"] > 0


def test_every_step_is_logged_with_all_its_columns(tmp_path):
    summary, _ = train(tmp_path, config())
    log = log_of(tmp_path)
    assert [line["step"] for line in log] == list(range(12))
    for line in log:
        assert {"loss", "grad_norm", "learning_rate", "tokens"} <= line.keys()
        assert ("val/metric" in line) == (line["step"] in (4, 9, 11))
    assert summary["tokens"] == sum(line["tokens"] for line in log)


def test_the_same_seed_gives_the_same_run_and_another_one_does_not(tmp_path):
    _, first = train(tmp_path / "a", config())
    _, second = train(tmp_path / "b", config())
    train(tmp_path / "c", config(), seed=2)
    assert log_of(tmp_path / "a") == log_of(tmp_path / "b")
    assert_same_weights(weights(first.model), weights(second.model))
    assert log_of(tmp_path / "a") != log_of(tmp_path / "c")


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("after", [4, 6, 11])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path, monkeypatch, after):
    whole, expected = train(tmp_path / "whole", config())
    calls = iter(range(100))

    def failing(*args, **options):
        if next(calls) == after:
            raise Interrupted
        return accumulate_likelihood(*args, **options)

    monkeypatch.setattr(sft, "accumulate_likelihood", failing)
    with pytest.raises(Interrupted):
        train(tmp_path / "cut", config())
    monkeypatch.undo()
    summary, found = train(tmp_path / "cut", config())
    assert log_of(tmp_path / "cut") == log_of(tmp_path / "whole")
    assert_same_weights(weights(found.model), weights(expected.model))
    assert summary["tokens"] == whole["tokens"]
