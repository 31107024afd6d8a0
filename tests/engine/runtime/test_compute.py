"""The machine as configured."""

import pytest
import torch

from worldtune.config import ComputeConfig
from worldtune.engine.runtime.compute import configure, threads_per_process


def test_threads_are_set_and_the_cpu_is_taken_where_asked_for():
    assert configure(ComputeConfig(threads=2, device="cpu")).type == "cpu"
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("threads", "processes", "each"), [(8, 2, 4), (8, 3, 2), (2, 2, 1), (1, 4, 1), (6, 1, 6)]
)
def test_processes_share_the_threads_of_their_machine(threads, processes, each):
    config = ComputeConfig(threads=threads, device="cpu")
    assert threads_per_process(config, processes) == each
    configure(config, processes=processes)
    assert torch.get_num_threads() == each


@pytest.mark.parametrize(("usable", "device"), [(True, "cuda:0"), (False, "cpu")])
def test_auto_takes_a_gpu_where_there_is_one(monkeypatch, usable, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(usable))
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert str(configure(ComputeConfig(threads=1))) == device


def test_every_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert str(configure(ComputeConfig(threads=4), processes=4)) == "cuda:3"


def test_more_processes_than_gpus_are_an_error_that_names_the_key(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match=r"launch\.processes is 3 .* 2 GPUs"):
        configure(ComputeConfig(threads=1), processes=3)


def test_a_missing_gpu_is_an_error_that_names_the_key(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"compute\.device"):
        configure(ComputeConfig(threads=1, device="cuda"))
