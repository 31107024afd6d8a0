"""Resumable state: whole or not there, the newest that is undamaged, moments included."""

import logging

import pytest
import torch

from tests.engine.tiny import assert_same_weights, tiny_model, weights
from worldtune.config import OptimizerConfig
from worldtune.engine.learn.optim import apply_update, build_optimizers, set_rate
from worldtune.engine.runtime.checkpoint import load_state, restore, save_state


def train(model, optimizers, steps, first=0):
    for step in range(first, first + steps):
        ids = torch.tensor([[3 + step % 5, 7, 11]])
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        set_rate(optimizers, 1 / (1 + step))
        apply_update(model, optimizers, 1.0)


def make(kind="muon", tied=False):
    model = tiny_model(tied=tied)
    return model, build_optimizers(model, OptimizerConfig(kind=kind))


def save(folder, step, made):
    model, optimizers = made
    save_state(folder, step=step, model=model, optimizers=optimizers, extra={"wall_s": 1.5})


@pytest.mark.parametrize("kind", ["muon", "adamw"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_restored_run_goes_on_exactly_as_the_stored_one(tmp_path, kind, tied):
    first = make(kind, tied)
    train(*first, steps=3)
    save(tmp_path, 3, first)
    train(*first, steps=4, first=3)

    second = make(kind, tied)
    train(*second, steps=1, first=9)
    state = load_state(tmp_path)
    assert (state.step, state.extra) == (3, {"wall_s": 1.5})
    restore(state, *second)
    train(*second, steps=4, first=3)
    assert_same_weights(weights(first[0]), weights(second[0]))


def test_only_trained_parameters_are_stored(tmp_path):
    model = tiny_model()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("norm" in name)
    save(tmp_path, 1, (model, build_optimizers(model, OptimizerConfig())))
    stored = load_state(tmp_path).tensors
    assert stored
    assert all("norm" in name for name in stored if name.startswith("model."))


def test_two_states_are_kept(tmp_path):
    made = make("adamw")
    for step in (5, 10, 100, 2000):
        save(tmp_path, step, made)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000100", "step-00002000"]
    assert load_state(tmp_path).step == 2000


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("state.safetensors", cut),
        ("state.safetensors", flip),
        ("state.safetensors", lambda p: p.unlink()),
        ("state.json", lambda p: p.write_text('{"step": 10, "sha')),
        ("state.json", lambda p: p.write_text("{}")),
        ("state.json", lambda p: p.write_text("[]")),
        ("state.json", lambda p: p.write_bytes(b"\xff\xfe\x00")),
        ("state.json", lambda p: p.unlink()),
    ],
)
def test_a_damaged_newest_state_falls_back_to_the_one_before(tmp_path, caplog, name, damage):
    made = make("adamw")
    save(tmp_path, 5, made)
    save(tmp_path, 10, made)
    damage(tmp_path / "step-00000010" / name)
    with caplog.at_level(logging.WARNING):
        assert load_state(tmp_path).step == 5
    assert "step-00000010" in caplog.text and "damaged" in caplog.text


def test_half_written_folders_are_ignored(tmp_path, caplog):
    made = make("adamw")
    save(tmp_path, 5, made)
    half = tmp_path / ".step-00000010.new"
    half.mkdir()
    (half / "state.safetensors").write_bytes(b"half")
    assert load_state(tmp_path).step == 5
    assert not caplog.records
    save(tmp_path, 10, made)
    assert load_state(tmp_path).step == 10
    assert not half.exists()


def test_no_folder_means_no_state(tmp_path):
    assert load_state(tmp_path / "nowhere") is None
