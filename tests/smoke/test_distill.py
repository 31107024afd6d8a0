"""`kedro run --env=test --pipelines=distill_web` against a teacher on this machine, then SFT."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.distill.fake_teacher import Asked, Said, fake_teacher
from tests.processes import run_kedro
from worldtune.config import WebIngestConfig, WebTaskConfig
from worldtune.contracts import Row
from worldtune.domains import get_data_module, get_domain

pytestmark = pytest.mark.slow

DOMAIN = get_domain("web", WebTaskConfig(layout="zero_shot"))
SECRET = "sk-very-secret-0123456789"
REASONING = "The click changes what the button belongs to."


def know_the_recording() -> Callable[[Asked], Said]:
    """A teacher that knows all rows of the test environment, and is cut off at the first."""
    table = get_data_module("web").ingest(WebIngestConfig(limit=64), 0).transitions
    rows: list[Row] = table[table["split"] == "train"].to_dict("records")
    answers = {DOMAIN.prompt(row)[0].content: DOMAIN.completion(row) for row in rows}

    def respond(asked: Asked) -> Said:
        cut = "length" if asked.times_before == 0 else "stop"
        return Said(answers[asked.prompt], REASONING, finish_reason=cut)

    return respond


def test_a_teacher_is_asked_and_sft_trains_on_its_reasoning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TEACHER_KEY", SECRET)
    with fake_teacher(know_the_recording()) as teacher:
        stated = {
            "web.task.layout": "zero_shot",
            "web.distill.base_url": teacher.url,
            "web.distill.model": "oracle-7b",
            "web.distill.api_key_env": "TEACHER_KEY",
        }
        params = ",".join(f"{key}={value}" for key, value in stated.items())
        command = ["run", "--env=test", "--pipelines=distill_web", f"--params={params}"]
        first = run_kedro(*command, data_root=tmp_path)
        assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
        assert len(teacher.asked) == 8
        again = run_kedro(*command, "--tags=distill", data_root=tmp_path)
        assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
        assert len(teacher.asked) == 8, "a finished run asks nothing"

    output = first.stdout + first.stderr
    assert "distill web: 4 of 8 answers accepted (50.0%)" in output
    assert "Traceback" not in output and "Warning" not in output and "HTTP" not in output
    report = json.loads((tmp_path / "08_reporting/web/distill.json").read_text())
    assert report["answers"]["truncated"] == report["answers"]["accepted"] == 4
    demonstrations = pd.read_parquet(tmp_path / "07_model_output/web/demonstrations.parquet")
    assert len(demonstrations) == 4
    assert set(demonstrations["reasoning"]) == {REASONING}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
    assert SECRET not in output + again.stdout + again.stderr

    params = "web.task.layout=zero_shot,web.model.scratch.context=2048,web.sft.steps=2"
    trained = run_kedro(
        "run",
        "--env=test",
        "--pipelines=sft_distilled_web",
        f"--params={params}",
        data_root=tmp_path,
    )
    assert trained.returncode == 0, trained.stdout[-3000:] + trained.stderr[-3000:]
    inputs = pd.read_parquet(tmp_path / "06_models/web/sft/inputs/train.parquet")
    assert set(inputs["reasoning"]) == {REASONING}


def test_a_teacher_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    params = "web.task.layout=zero_shot,web.distill.model=a,web.distill.base_url=http://127.0.0.1:9"
    result = run_kedro(
        "run", "--env=test", "--pipelines=distill_web", f"--params={params}", data_root=tmp_path
    )
    assert result.returncode == 1
    assert "Error: no teacher answers at 127.0.0.1:9 (" in result.stderr
    assert "change web.distill.base_url" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
