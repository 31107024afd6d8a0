"""The loop that both algorithms share: where it goes on, what it logs, what it keeps."""

import json
import logging
import random
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.engine.runtime.disk import room_for
from tests.engine.tiny import assert_same_weights, tiny_model, weights
from worldtune.config import OptimizerConfig, SftConfig
from worldtune.engine.runtime.optim import apply_update, build_optimizers
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.runtime.run import Run
from worldtune.errors import UserError

STEPS = 7


class Times:
    """A stopwatch that has always measured the same."""

    def take(self):
        return {"train_s": 0.25}


class Learner:
    """The smallest thing that a run can store."""

    def __init__(self):
        self.policy = SimpleNamespace(model=tiny_model(), gathered=nullcontext)
        self.optimizers = build_optimizers(self.policy.model, OptimizerConfig())
        self.processes = Processes.single()
        self.stopwatch = Times()


def start(folder, *, values=(), state=None, tensors=None, higher_is_better=True, **changes):
    """A run of seven steps; ``values`` are what its validations will find, by finished steps."""
    config = SftConfig(**({"steps": STEPS, "checkpoint_every": 2, "validate_every": 0} | changes))
    found = dict(values)
    run = Run(
        "test",
        folder,
        config,
        Learner(),
        validate=lambda: found.get(run.done, 0.0),
        shown=("loss",),
        seed=3,
        higher_is_better=higher_is_better,
        state=state or dict,
        tensors=tensors or dict,
    )
    run.done = run.first_step
    return run


def go(run, until=STEPS, history=None):
    """Train until so many steps are done."""
    for step in run:
        learner = run.learner
        ids = torch.tensor([[3 + step, 4]])
        learner.policy.model(input_ids=ids).logits.square().mean().backward()
        apply_update(learner.policy.model, learner.optimizers, 1.0)
        run.done = step + 1
        if history is not None:
            history[run.done] = weights(learner.policy.model)
        run.record(step, {"loss": step / 2}, tokens=10)
        if run.done == until:
            return run
    return run


def lines(folder, name="metrics.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def model_of(run):
    return weights(run.learner.policy.model)


def stored_steps(folder):
    return sorted(path.name for path in (folder / "resume").iterdir())


def test_an_interrupted_run_goes_on_after_its_last_stored_step(tmp_path):
    whole = go(start(tmp_path / "whole"))
    folder = tmp_path / "cut"
    go(start(folder), until=5)
    assert [line["step"] for line in lines(folder)] == [0, 1, 2, 3, 4]
    second = start(folder)
    assert second.first_step == 4
    assert [line["step"] for line in lines(folder)] == [0, 1, 2, 3]
    assert [line["step"] for line in lines(folder, "timings.jsonl")] == [0, 1, 1, 2, 3, 3]
    go(second)
    assert second.totals["tokens"] == whole.totals["tokens"] == 70
    assert second.totals["wall_s"] == pytest.approx(
        sum({x["step"]: x["step_s"] for x in lines(folder, "timings.jsonl")}.values())
    )
    assert_same_weights(model_of(whole), model_of(second))
    log = (folder / "metrics.jsonl").read_bytes()
    assert log == (tmp_path / "whole" / "metrics.jsonl").read_bytes()
    assert log.splitlines()[0] == b'{"step": 0, "loss": 0.0}'


def test_without_resume_a_run_starts_over(tmp_path):
    go(start(tmp_path), until=5)
    again = start(tmp_path, resume=False)
    assert (again.first_step, again.totals) == (0, {})
    assert lines(tmp_path) == [] == lines(tmp_path, "timings.jsonl")
    assert stored_steps(tmp_path) == []


def test_times_are_beside_the_metrics_and_never_among_them(tmp_path):
    go(start(tmp_path), until=2)
    assert lines(tmp_path)[0] == {"step": 0, "loss": 0.0}
    first, second, stored = lines(tmp_path, "timings.jsonl")
    assert first.keys() == {"step", "step_s", "tokens_per_s", "train_s"}
    assert first["tokens_per_s"] == pytest.approx(10 / first["step_s"])
    assert first["train_s"] == 0.25
    assert stored.items() > second.items() and stored["checkpoint_s"] > 0


def test_the_last_step_is_validated_and_others_as_often_as_asked_for(tmp_path):
    values = {2: 0.2, 4: 0.4, 6: 0.6, 7: 0.7}
    run = go(start(tmp_path / "a", values=values))
    assert {x["step"]: x["val/metric"] for x in lines(tmp_path / "a") if "val/metric" in x} == {
        6: 0.7
    }
    summary = run.summary()
    assert summary == {
        "val/metric": 0.7,
        "selected_step": 7,
        "steps": 7,
        "tokens": 70,
        "wall_s": run.totals["wall_s"],
    }
    go(start(tmp_path / "b", values=values, validate_every=2))
    assert [x.get("val/metric") for x in lines(tmp_path / "b")] == [
        *(None, 0.2, None, 0.4, None, 0.6, 0.7)
    ]
    assert "validate_s" in lines(tmp_path / "b", "timings.jsonl")[1]


@pytest.mark.parametrize(
    ("values", "higher_is_better", "best"),
    [
        ({1: 0.1, 2: 0.5, 3: 0.4, 4: 0.5, 5: 0.2, 6: 0.3, 7: 0.5}, True, 2),
        ({1: 0.1, 2: 0.5, 3: 0.4, 4: 0.5, 5: 0.2, 6: 0.3, 7: 0.51}, True, 7),
        ({1: 0.9, 2: 0.5, 3: 0.1, 4: 0.5, 5: 0.2, 6: 0.3, 7: 0.1}, False, 3),
        ({1: float("nan"), 2: 0.5, 3: float("nan"), 4: 0.2, 5: 0.2, 6: 0.3, 7: 0.1}, True, 2),
    ],
    ids=["first of ties", "last step", "lower is better", "not a number"],
)
@pytest.mark.parametrize("until", [STEPS, 3, 6])
def test_the_best_validation_chooses_the_weights_also_after_an_interruption(
    tmp_path, values, higher_is_better, best, until
):
    options = {
        "values": values,
        "higher_is_better": higher_is_better,
        "select": "best",
        "validate_every": 1,
        "checkpoint_every": 5,
    }
    history = {}
    run = go(start(tmp_path, **options), until, history)
    if until < STEPS:
        run = go(start(tmp_path, **options), history=history)
    summary = run.summary()
    assert (summary["selected_step"], summary["val/metric"]) == (best, values[best])
    assert_same_weights(model_of(run), history[best])
    assert best == STEPS or f"step-{best:08d}" in stored_steps(tmp_path)


def test_the_last_weights_are_chosen_where_the_best_are_not_asked_for(tmp_path):
    history = {}
    run = go(start(tmp_path, values={2: 0.9, 7: 0.1}, validate_every=2), history=history)
    assert run.summary()["selected_step"] == STEPS
    assert_same_weights(model_of(run), history[STEPS])
    assert stored_steps(tmp_path) == ["step-00000004", "step-00000006"]


def test_the_best_state_outlives_newer_ones(tmp_path):
    values = {1: 0.9}
    go(start(tmp_path, values=values, validate_every=1, select="best"))
    assert stored_steps(tmp_path) == ["step-00000001", "step-00000004", "step-00000006"]


def test_a_damaged_best_state_is_named_and_the_last_weights_are_used(tmp_path, caplog):
    options = {"values": {2: 0.9, 7: 0.1}, "validate_every": 1, "select": "best"}
    history = {}
    run = go(start(tmp_path, **options), history=history)
    (tmp_path / "resume" / "step-00000002" / "state.json").unlink()
    with caplog.at_level(logging.WARNING):
        assert run.summary()["selected_step"] == STEPS
    assert "step-00000002/state.json" in caplog.text and "last weights" in caplog.text
    assert_same_weights(model_of(run), history[STEPS])


def test_what_the_algorithm_hands_over_comes_back(tmp_path):
    reference = torch.randn(3, dtype=torch.float64)
    cursor = {"cursor": 1}
    first = start(tmp_path, state=lambda: cursor, tensors=lambda: {"reference.w": reference})
    assert (first.restored, first.restored_tensors) == ({}, {})
    for step in first:
        cursor["cursor"] += 3
        first.record(step, {}, tokens=1)
        if step == 4:
            break
    second = start(tmp_path)
    assert second.restored == {"cursor": 13}
    assert second.restored_tensors.keys() == {"reference.w"}
    assert torch.equal(second.restored_tensors["reference.w"], reference)


def draws(run):
    """What every step would draw from the global generators."""
    return {step: (torch.rand(1).item(), np.random.rand(), random.random()) for step in run}


def test_global_generators_are_a_function_of_seed_and_step(tmp_path):
    whole = draws(start(tmp_path / "a"))
    assert len({value for step in whole.values() for value in step}) == 3 * STEPS
    go(start(tmp_path / "b"), until=3)
    torch.manual_seed(99)
    resumed = draws(start(tmp_path / "b"))
    assert resumed == {step: value for step, value in whole.items() if step >= 2}


def test_a_log_that_was_changed_is_named_and_training_goes_on(tmp_path, caplog):
    go(start(tmp_path), until=5)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"step": 1, "loss": 0.5}\n', b""))
    with caplog.at_level(logging.WARNING):
        run = start(tmp_path)
    assert run.first_step == 4
    assert str(path) in caplog.text and "before step 4" in caplog.text


def test_a_damaged_state_is_trained_again(tmp_path):
    whole = go(start(tmp_path / "whole"))
    go(start(tmp_path / "cut"), until=5)
    (tmp_path / "cut" / "resume" / "step-00000004" / "state.safetensors").write_bytes(b"")
    second = start(tmp_path / "cut")
    assert second.first_step == 2
    assert stored_steps(tmp_path / "cut") == ["step-00000002"]
    go(second)
    assert_same_weights(model_of(whole), model_of(second))
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_full_disk_stops_the_log_with_what_to_do(tmp_path):
    run = start(tmp_path)
    with pytest.raises(UserError, match=r"log of the run cannot be written"), room_for(60):
        go(run)
    assert (tmp_path / "metrics.jsonl").stat().st_size < 60
    go(start(tmp_path))
    assert [line["step"] for line in lines(tmp_path)] == list(range(STEPS))
