"""Several processes as a run starts them: they finish together, and fail together."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from tests.pair import free_port
from tests.run_folders import RLVR, make_pretrained, prepare, spec
from worldtune import launch
from worldtune.config import LaunchConfig, RewardConfig

pytestmark = pytest.mark.slow

TWO = LaunchConfig(processes=2, timeout_s=60)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory) -> str:
    return make_pretrained(tmp_path_factory.mktemp("hub") / "tiny")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def processes_of(folder: Path) -> list[psutil.Process]:
    """All living processes that were started for a run folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        is_alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if is_alive and str(folder) in (process.info["cmdline"] or []):
            found.append(process)
    return found


def assert_nobody_is_left(folder: Path, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while processes_of(folder):
        assert time.monotonic() < deadline, [p.cmdline() for p in processes_of(folder)]
        time.sleep(0.1)


def broken(folder: Path, pretrained: str, monkeypatch, how: str, timeout_s: int = 60) -> Path:
    """An RLVR run of two processes, one of which breaks in its second step."""
    monkeypatch.setenv("SABOTAGE", how)
    monkeypatch.setenv("SABOTAGE_FOLDER", str(folder.parent))
    reward = RewardConfig(functions={"tests.sabotage:reward": 1.0})
    training = RLVR.model_copy(update={"reward": reward, "steps": 4})
    two = TWO.model_copy(update={"timeout_s": timeout_s})
    return prepare(folder, spec("rlvr", training=training, start=pretrained, launch=two))


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("fsdp", [False, True], ids=["whole", "sharded"])
@pytest.mark.parametrize("stage", ["sft", "rlvr"])
def test_two_processes_train_the_model_of_one(tmp_path, pretrained, stage, fsdp):
    start = {"start": pretrained} if stage == "rlvr" else {"path": pretrained}
    results = {}
    two = TWO.model_copy(update={"fsdp": fsdp})
    for name, processes in (("one", LaunchConfig()), ("two", two)):
        folder = prepare(tmp_path / name, spec(stage, launch=processes, **start))
        results[name] = launch.run(folder)
        assert results[name] == json.loads((folder / "result.json").read_text())
    one, two = (metrics(tmp_path / name) for name in results)
    for alone, together in zip(one, two, strict=True):
        assert alone == pytest.approx(together, rel=2e-5, abs=1e-6)
    alone, together = (load_file(Path(r["model"]) / "model.safetensors") for r in results.values())
    start_weights = load_file(Path(pretrained) / "model.safetensors")
    for name, tensor in alone.items():
        moved = (tensor - start_weights[name]).norm()
        assert (tensor - together[name]).norm() <= 1e-3 * moved, name
    assert results["one"]["fingerprint"] == results["two"]["fingerprint"]


def test_a_finished_run_is_reused_by_another_number_of_processes(tmp_path, pretrained):
    folder = prepare(tmp_path, spec(path=pretrained))
    first = launch.run(folder)
    stamp = (folder / "model" / "model.safetensors").stat().st_mtime_ns
    assert launch.run(prepare(tmp_path, spec(path=pretrained, launch=TWO))) == first
    assert (folder / "model" / "model.safetensors").stat().st_mtime_ns == stamp


def test_the_error_of_one_process_is_the_error_of_the_run(tmp_path, pretrained, monkeypatch):
    folder = broken(tmp_path / "run", pretrained, monkeypatch, "raise")
    with pytest.raises(launch.LaunchError) as failure:
        launch.run(folder)
    text = str(failure.value)
    assert text.startswith("process 1 of 2 failed: ArithmeticError: sabotage of process 1\n")
    assert "sabotage.py" in text  # the traceback of that process
    assert_nobody_is_left(folder)
    assert not (folder / "result.json").exists()


def test_a_killed_process_ends_the_run_and_is_named(tmp_path, pretrained, monkeypatch):
    folder = broken(tmp_path / "run", pretrained, monkeypatch, "kill")
    with pytest.raises(launch.LaunchError, match=r"process 1 of 2 failed: Signal 9 \(SIGKILL\)"):
        launch.run(folder)
    assert_nobody_is_left(folder)


def test_a_process_that_hangs_is_not_waited_for_without_end(tmp_path, pretrained, monkeypatch):
    folder = broken(tmp_path / "run", pretrained, monkeypatch, "hang", timeout_s=5)
    with pytest.raises(launch.LaunchError, match=r"process 0 of 2 lost the others.*timeout_s"):
        launch.run(folder)
    assert_nobody_is_left(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(tmp_path, pretrained, monkeypatch, number):
    folder = broken(tmp_path / "run", pretrained, monkeypatch, "wait")
    # A test run in the background of a shell has SIGINT ignored, which children would inherit.
    caller = subprocess.Popen(
        [sys.executable, "-m", "worldtune.launch", str(folder)],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("waiting-*"))) < 2:
        assert caller.poll() is None, "the run ended before it was stopped"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(processes_of(folder)) == 4  # the caller, the supervisor, two workers
    caller.send_signal(number)
    assert caller.wait(timeout=60) != 0
    assert_nobody_is_left(folder)


def test_settings_that_cannot_be_trained_on_are_named_by_every_launch(tmp_path):
    short = make_pretrained(tmp_path / "short", context=16)
    folder = prepare(tmp_path / "run", spec(path=short, launch=TWO))
    with pytest.raises(ValueError, match=r"context of 16: lower web\.ingest\.max_tokens"):
        launch.run(folder)


def test_two_nodes_share_a_run(tmp_path, pretrained):
    nodes = LaunchConfig(nodes=2, rdzv=f"127.0.0.1:{free_port()}", timeout_s=60)
    folder = prepare(tmp_path / "run", spec(path=pretrained, launch=nodes))
    command = [sys.executable, "-m", "worldtune.launch", str(folder), "--node-rank", "1"]
    with subprocess.Popen(command) as other:
        result = launch.run(folder)
        assert other.wait(timeout=60) == 0
    alone = launch.run(prepare(tmp_path / "alone", spec(path=pretrained)))
    assert result["metrics"]["val/metric"] == pytest.approx(alone["metrics"]["val/metric"])
    weights = [load_file(Path(r["model"]) / "model.safetensors") for r in (result, alone)]
    for name, tensor in weights[0].items():
        assert torch.allclose(tensor, weights[1][name], atol=1e-4), name


@pytest.mark.parametrize("module", ["worldtune.worker"])
def test_a_process_started_alone_for_a_run_of_two_says_so(tmp_path, pretrained, module):
    folder = prepare(tmp_path, spec(path=pretrained, launch=TWO))
    done = subprocess.run(
        [sys.executable, "-m", module, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "launch.processes x launch.nodes is 2 but the world size is 1" in done.stderr
