"""Resumable state: whole or not there, the newest that is undamaged, moments included."""

import logging

import pytest
import torch

from tests.engine.runtime.disk import room_for
from tests.engine.tiny import assert_same_weights, tiny_model, weights
from worldtune.config import OptimizerConfig
from worldtune.engine.runtime import durable
from worldtune.engine.runtime.checkpoint import (
    Checkpoints,
    DamagedError,
    TrainingState,
    capture,
    restore,
)
from worldtune.engine.runtime.optim import apply_update, build_optimizers, set_rate
from worldtune.errors import UserError

FILES = ["SHA256SUMS", "state.json", "state.safetensors"]


def train(model, optimizers, steps, first=0):
    for step in range(first, first + steps):
        ids = torch.tensor([[3 + step % 5, 7, 11]])
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        set_rate(optimizers, 1 / (1 + step))
        apply_update(model, optimizers, 1.0)


def make(kind="muon", tied=False):
    model = tiny_model(tied=tied)
    return model, build_optimizers(model, OptimizerConfig(kind=kind))


def store(folder, *steps, keep=2, needs=(), **extra):
    checkpoints = Checkpoints(folder, keep=keep)
    for step in steps:
        tensors = {"model.a": torch.full((4,), float(step))}
        checkpoints.save(TrainingState(step, tensors, extra, needs))
    return checkpoints


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["muon", "adamw"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_restored_run_goes_on_exactly_as_the_stored_one(tmp_path, kind, tied):
    first = make(kind, tied)
    train(*first, steps=3)
    Checkpoints(tmp_path, keep=2).save(TrainingState(3, capture(*first), {"wall_s": 0.1 + 0.2}))
    train(*first, steps=4, first=3)

    second = make(kind, tied)
    train(*second, steps=1, first=9)
    state = Checkpoints(tmp_path, keep=2).newest()
    assert (state.step, state.extra) == (3, {"wall_s": 0.1 + 0.2})
    restore(state.tensors, *second)
    train(*second, steps=4, first=3)
    assert_same_weights(weights(first[0]), weights(second[0]))
    moments = [capture(*made) for made in (first, second)]
    assert moments[0].keys() == moments[1].keys()
    assert all(torch.equal(moments[0][name], moments[1][name]) for name in moments[0])


@pytest.mark.parametrize("fused", [True, False])
def test_moments_of_a_fused_optimizer_come_back_to_the_bit(tmp_path, fused):
    def fresh():
        model = tiny_model()
        return model, [torch.optim.AdamW(model.parameters(), lr=0.01, fused=fused)]

    first, second = fresh(), fresh()
    for optimizer in (*first[1], *second[1]):
        optimizer.param_groups[0]["peak"] = 0.01
    train(*first, steps=3)
    Checkpoints(tmp_path, keep=2).save(TrainingState(3, capture(*first)))
    restore(Checkpoints(tmp_path, keep=2).newest().tensors, *second)
    train(*first, steps=3, first=3)
    train(*second, steps=3, first=3)
    assert_same_weights(weights(first[0]), weights(second[0]))


def test_only_trained_parameters_are_stored():
    model = tiny_model()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("norm" in name)
    stored = capture(model, build_optimizers(model, OptimizerConfig()))
    assert stored
    assert all("norm" in name for name in stored if name.startswith("model."))


class Counting(torch.nn.Module):
    """Keeps a number beside its weights."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))
        self.register_buffer("seen", torch.tensor(0))
        self.register_buffer("table", torch.ones(3), persistent=False)


def test_buffers_that_belong_to_the_weights_are_stored():
    first, second = Counting(), Counting()
    first.seen += 5
    stored = {name: tensor.clone() for name, tensor in capture(first, []).items()}
    assert stored.keys() == {"model.weight", "model.seen"}
    restore(stored, second)
    assert second.seen == 5


def test_a_model_of_another_shape_is_refused():
    stored = capture(torch.nn.Linear(3, 2), [])
    for other in (torch.nn.Linear(3, 1), torch.nn.Linear(3, 2, bias=False)):
        with pytest.raises(ValueError, match="another shape"):
            restore(stored, other)


def test_as_many_states_are_kept_as_asked_for(tmp_path):
    assert store(tmp_path / "two", 5, 10, 100, 2000).newest().step == 2000
    assert names(tmp_path / "two") == ["step-00000100", "step-00002000"]
    assert store(tmp_path / "three", 5, 10, 100, 2000, keep=3).steps() == [10, 100, 2000]


def test_a_state_that_a_kept_one_needs_is_kept_with_it(tmp_path):
    store(tmp_path, 10, 20)
    checkpoints = store(tmp_path, 30, 40, 50, needs=[20])
    assert checkpoints.steps() == [20, 40, 50]
    checkpoints = store(tmp_path, 60, 70, needs=[60])
    assert checkpoints.steps() == [60, 70]


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_bit_is_found(tmp_path, name, caplog):
    checkpoints = store(tmp_path, 5, 10, note="x")
    path = tmp_path / "step-00000010" / name
    for place in range(path.stat().st_size):
        flip(path, place)
        assert checkpoints.newest().step == 5, place
        flip(path, place)
    assert checkpoints.newest().step == 10
    assert all(f"step-00000010/{name}" in r.getMessage() for r in caplog.records)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.unlink(),
        lambda p: p.write_bytes(b""),
        lambda p: p.write_bytes(p.read_bytes()[:-1]),
        lambda p: p.write_bytes(p.read_bytes() + b"\n"),
        lambda p: p.write_bytes(bytes(p.stat().st_size)),
        lambda p: p.write_bytes(b"\xff\xfe[]"),
        lambda p: (p.unlink(), p.mkdir()),
    ],
)
def test_a_damaged_newest_state_is_named_with_the_one_that_is_used(tmp_path, caplog, name, damage):
    checkpoints = store(tmp_path, 5, 10)
    damage(tmp_path / "step-00000010" / name)
    assert checkpoints.newest().step == 5
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert str(tmp_path / "step-00000010") in message
    assert f"step-00000010/{name}" in message and "going on from step-00000005" in message


def test_without_any_whole_state_the_run_begins_anew_and_says_so(tmp_path, caplog):
    checkpoints = store(tmp_path, 5, 10)
    for step in (5, 10):
        flip(tmp_path / f"step-{step:08d}" / "state.json", 3)
    assert checkpoints.newest() is None
    assert len(caplog.records) == 2
    assert all("going on from the beginning" in r.getMessage() for r in caplog.records)


def test_a_state_is_only_as_whole_as_the_one_that_it_needs(tmp_path, caplog):
    store(tmp_path, 10)
    store(tmp_path, 20)
    checkpoints = store(tmp_path, 30, needs=[20], keep=3)
    flip(tmp_path / "step-00000020" / "state.safetensors", -1)
    assert checkpoints.newest().step == 10
    assert "step-00000030 is damaged (step-00000020/state.safetensors" in caplog.text
    with pytest.raises(DamagedError, match=r"step-00000020/state\.safetensors"):
        checkpoints.load(30)


def test_half_written_folders_are_ignored_and_cleared(tmp_path, caplog):
    store(tmp_path, 5)
    half, gone = tmp_path / ".step-00000007.new", tmp_path / ".step-00000003.old"
    for leftover in (half, gone):
        leftover.mkdir()
        (leftover / "state.safetensors").write_bytes(b"half")
    assert Checkpoints(tmp_path, keep=2).newest().step == 5
    assert not caplog.records
    store(tmp_path, 10)
    assert names(tmp_path) == ["step-00000005", "step-00000010"]


def test_states_after_a_step_are_forgotten(tmp_path):
    checkpoints = store(tmp_path, 5, 10, 15, keep=3)
    checkpoints.go_on_from(5)
    assert names(tmp_path) == ["step-00000005"]


def test_no_folder_means_no_state(tmp_path):
    assert Checkpoints(tmp_path / "nowhere", keep=2).newest() is None


@pytest.mark.parametrize("extra", [{"pair": (1, 2)}, {1: 2}, {"deep": [{3: 4}]}])
def test_extra_state_that_json_would_change_is_refused(tmp_path, extra):
    with pytest.raises(TypeError, match="survive JSON"):
        Checkpoints(tmp_path, keep=2).save(TrainingState(1, {}, extra))
    with pytest.raises(ValueError, match="not JSON compliant"):
        Checkpoints(tmp_path, keep=2).save(TrainingState(1, {}, {"x": float("nan")}))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_stops_with_what_to_do(tmp_path):
    (tmp_path / "resume").write_text("a file where the folder belongs")
    with pytest.raises(UserError, match=r"checkpoint of step 5 cannot be written to .*resume"):
        store(tmp_path / "resume", 5)


@pytest.mark.parametrize("num_bytes", [10, 1000, 4500], ids=["header", "tensors", "json"])
def test_a_disk_that_fills_up_leaves_the_states_before_and_no_half_one(tmp_path, num_bytes):
    checkpoints = store(tmp_path, 5)
    state = TrainingState(10, {"model.a": torch.zeros(1000)}, {"long": "x" * 5000})
    with (
        pytest.raises(UserError, match=r"step 10 cannot be written .*too large.* make room"),
        room_for(num_bytes),
    ):
        checkpoints.save(state)
    assert names(tmp_path) == ["step-00000005"]
    assert checkpoints.newest().step == 5
    checkpoints.save(state)
    assert checkpoints.newest().step == 10


def test_the_hashes_are_in_the_form_that_sha256sum_checks(tmp_path):
    store(tmp_path, 5)
    folder = tmp_path / "step-00000005"
    lines = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {name: durable.sha256_file(folder / name) for _, name in lines} == {
        name: digest for digest, name in lines
    }
    assert names(folder) == FILES
