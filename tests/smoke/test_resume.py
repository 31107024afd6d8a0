"""A training process that is killed goes on where it was when the same command is given again."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PROJECT, kedro_command, kedro_environment, run_kedro
from tests.smoke.runs import FinishedRun

pytestmark = pytest.mark.slow

STEPS = {"sft": 400, "rlvr": 60}
CHECKPOINT_EVERY = {"sft": 5, "rlvr": 2}
PATIENCE_S = 180


def steps_of(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def stage_arguments(domain: str, stage: str) -> list[str]:
    section = f"{domain}.{stage}"
    parameters = (
        f"{section}.steps={STEPS[stage]},{section}.checkpoint_every={CHECKPOINT_EVERY[stage]}"
    )
    return [
        "run",
        "--env=test",
        f"--pipelines=rlvr_{domain}",
        f"--tags={stage}",
        f"--params={parameters}",
    ]


def kill_during_training(arguments: list[str], root: Path, folder: Path) -> None:
    """Start a stage and SIGKILL its process group once it has stored a state and gone on."""
    process = subprocess.Popen(
        kedro_command(*arguments),
        cwd=PROJECT,
        env=kedro_environment(root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not any((folder / "resume").glob("step-*")):
        assert process.poll() is None, "the run ended before it could be killed; raise STEPS"
        assert time.monotonic() < deadline, "no resumable state was stored"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("stage", ["sft", "rlvr"])
def test_a_killed_stage_resumes(
    chain: FinishedRun,
    tmp_path: Path,
    stage: str,
) -> None:
    for name in ("05_model_input", "08_reporting"):
        shutil.copytree(chain.root / name, tmp_path / name)
    if stage == "rlvr":
        shutil.copytree(
            chain.root / f"06_models/{chain.domain}/sft", tmp_path / f"06_models/{chain.domain}/sft"
        )
    folder = tmp_path / "06_models" / chain.domain / stage
    arguments = stage_arguments(chain.domain, stage)

    kill_during_training(arguments, tmp_path, folder)
    done_before = steps_of(folder / "metrics.jsonl")
    assert 0 < len(done_before) < STEPS[stage]
    assert not (folder / "model").exists()

    result = run_kedro(*arguments, data_root=tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    steps = steps_of(folder / "metrics.jsonl")
    assert [line["step"] for line in steps] == list(range(STEPS[stage]))
    kept = CHECKPOINT_EVERY[stage]
    assert steps[:kept] == done_before[:kept], "steps before the stored state were trained again"
    assert (folder / "model/model.safetensors").is_file()
