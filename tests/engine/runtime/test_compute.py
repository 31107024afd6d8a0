"""The machine as configured."""

import pytest
import torch

from worldtune.config import ComputeConfig
from worldtune.engine.runtime.compute import configure


def test_threads_are_set_and_the_cpu_is_taken_where_asked_for():
    assert configure(ComputeConfig(threads=2, device="cpu")).type == "cpu"
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("usable", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_a_gpu_where_there_is_one(monkeypatch, usable, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    assert configure(ComputeConfig(threads=1)).type == device


def test_a_missing_gpu_is_an_error_that_names_the_key(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"compute\.device"):
        configure(ComputeConfig(threads=1, device="cuda"))
