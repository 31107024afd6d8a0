"""The step counter that both loops share: every row once per epoch, no step twice."""

import json

import pytest
import torch

from tests.engine.tiny import assert_same_weights, tiny_model, weights
from worldtune.config import OptimizerConfig, SftConfig
from worldtune.engine.learn.optim import apply_update, build_optimizers
from worldtune.engine.runtime.run import Run, batch_indices, shuffled


@pytest.mark.parametrize(("count", "size"), [(10, 3), (7, 7), (5, 8), (3, 10), (1, 4), (12, 1)])
def test_every_row_comes_once_per_epoch_also_across_seams(count, size):
    rows = [
        i for step in range(3 * count) for i in batch_indices(step, count=count, size=size, seed=4)
    ]
    for epoch in range(len(rows) // count):
        assert sorted(rows[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_the_order_is_a_function_of_the_seed_and_changes_with_the_epoch():
    first = [batch_indices(s, count=50, size=10, seed=1) for s in range(10)]
    assert first == [batch_indices(s, count=50, size=10, seed=1) for s in range(10)]
    assert first != [batch_indices(s, count=50, size=10, seed=2) for s in range(10)]
    assert first[:5] != first[5:]
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert shuffled(9, seed=3, epoch=2) == shuffled(9, seed=3, epoch=2)
    assert torch.equal(torch.get_rng_state(), before), "the global generator is left alone"


def start(folder, resume=True, checkpoint_every=2):
    model = tiny_model()
    optimizers = build_optimizers(model, OptimizerConfig())
    config = SftConfig(checkpoint_every=checkpoint_every, resume=resume)
    return Run("test", folder, 7, config, model, optimizers, ("loss",))


def go(run, until=None):
    for step in run:
        run.model(input_ids=torch.tensor([[3 + step, 4]])).logits.square().mean().backward()
        apply_update(run.model, run.optimizers, 1.0)
        run.record(step, {"loss": step / 2}, seconds=0.5, tokens=10)
        if step == until:
            return


def steps_logged(folder):
    return [json.loads(x)["step"] for x in (folder / "metrics.jsonl").read_text().splitlines()]


def test_an_interrupted_run_goes_on_after_its_last_stored_step(tmp_path):
    whole = start(tmp_path / "whole")
    go(whole)
    folder = tmp_path / "cut"
    go(start(folder), until=4)
    assert steps_logged(folder) == [0, 1, 2, 3, 4]
    second = start(folder)
    assert second.first_step == 4
    assert second.totals == {"wall_s": 2.0, "tokens": 40}
    go(second)
    assert steps_logged(folder) == list(range(7))
    assert second.totals == whole.totals == {"wall_s": 3.5, "tokens": 70}
    assert_same_weights(weights(whole.model), weights(second.model))


def test_without_resume_a_run_starts_over(tmp_path):
    go(start(tmp_path), until=4)
    again = start(tmp_path, resume=False)
    assert (again.first_step, again.totals) == (0, {})
    assert steps_logged(tmp_path) == []


def test_a_finished_step_is_logged_with_its_timing(tmp_path):
    go(start(tmp_path), until=0)
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert line == {"step": 0, "loss": 0.0, "timing": {"step_s": 0.5, "tokens_per_s": 20.0}}
