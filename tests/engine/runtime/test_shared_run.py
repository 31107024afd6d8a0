"""A run of two processes: one writes, both read, and weights may be sharded over them."""

import hashlib
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from tests.engine.tiny import tiny_model
from tests.pair import pair
from worldtune.config import OptimizerConfig, SftConfig
from worldtune.engine.model.sharding import Shards
from worldtune.engine.runtime.optim import apply_update, build_optimizers
from worldtune.engine.runtime.run import Run
from worldtune.engine.runtime.tensor_file import whole

pytestmark = pytest.mark.slow

STEPS = 6
_alive = []
"""Shards as long as the process: gloo's threads may still use those of an earlier run."""


def train(processes, folder, is_sharded, until):
    """Train until so many steps are done; returns where the run began and what it came to."""
    model = tiny_model(tied=True)
    shards = Shards(model, processes) if is_sharded else None
    _alive.append(shards)
    optimizers = build_optimizers(model, OptimizerConfig(kind="adamw"))
    run = Run(
        "shared",
        folder,
        SftConfig(steps=STEPS, checkpoint_every=2, validate_every=1, select="best"),
        SimpleNamespace(
            policy=SimpleNamespace(model=model, gathered=nullcontext, shards=shards),
            optimizers=optimizers,
            processes=processes,
            stopwatch=SimpleNamespace(take=dict),
        ),
        validate=lambda: 1.0 if step == 2 else 0.5,
        shown=(),
        tensors=lambda: {"first": next(model.parameters())},
    )
    for step in run:
        for parameter in model.parameters():
            parameter.grad = parameter.detach().clone() * (step + 1)
        apply_update(model, optimizers, 1e9)  # not clipped: sharded norms round differently
        run.record(step, {"loss": 1.0}, tokens=1)
        if step + 1 == until:
            break
    last = _hash(model)
    best = run.summary()["selected_step"] if until == STEPS else None
    return run.first_step, last, best, _hash(model)


def _hash(model):
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(whole(parameter).numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def both():
    with pair() as started:
        yield started


@pytest.mark.parametrize("is_sharded", [False, True], ids=["whole", "sharded"])
def test_both_go_on_where_the_main_one_stored(both, tmp_path, is_sharded):
    left_alone = both(train, tmp_path / "whole", is_sharded, STEPS)
    assert left_alone[0] == left_alone[1]
    both(train, tmp_path / "cut", is_sharded, 5)
    went_on = both(train, tmp_path / "cut", is_sharded, STEPS)
    assert [first for first, *_ in went_on] == [4, 4]
    assert [end for _, *end in went_on] == [end for _, *end in left_alone]
    assert left_alone[0][2] == 3
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "cut")]
    assert logs[0] == logs[1] and logs[0].count(b"\n") == STEPS


def test_whole_weights_go_on_from_stored_shards_and_the_other_way_round(both, tmp_path):
    both(train, tmp_path / "a", True, 5)
    both(train, tmp_path / "b", False, 5)
    for name, is_sharded in (("a", False), ("b", True)):
        (first, *end), _ = both(train, tmp_path / name, is_sharded, STEPS)
        assert first == 4
        assert tuple(end) == both(train, tmp_path / f"{name} alone", False, STEPS)[0][1:]


def test_processes_without_a_common_folder_are_told_so(both, tmp_path):
    both(train, tmp_path / "cut", False, 5)
    with pytest.raises(RuntimeError, match=r"different steps, 0 to 4.*one folder"):
        both(_train_apart, tmp_path / "cut")


def _train_apart(processes, folder):
    own = folder if processes.is_main else folder.with_name("elsewhere")
    return train(processes, own, False, STEPS)
