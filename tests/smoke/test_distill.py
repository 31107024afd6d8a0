"""`kedro run --env=test --pipelines=distill_<domain>` against a teacher here, then SFT."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader

from tests.distill.fake_teacher import Asked, Said, fake_teacher
from tests.processes import run_kedro
from worldtune.config import task_config
from worldtune.contracts import Row
from worldtune.domains import DOMAINS, get_data_module, get_domain
from worldtune.parameters import parse_parameters
from worldtune.settings import CONFIG_LOADER_ARGS

pytestmark = pytest.mark.slow

TASKS = {"web": {"layout": "zero_shot"}, "text_game": {"layout": "reference", "reasoning": "true"}}
"""The tasks whose answers hold reasoning."""
CONTEXT = {"web": 2048, "text_game": 16384}
SECRET = "sk-very-secret-0123456789"
REASONING = "The click changes what the button belongs to."


def know_the_rows(domain: str, project: Path) -> Callable[[Asked], Said]:
    """A teacher that knows all rows of the test environment, and is cut off at the first."""
    loader = OmegaConfigLoader(str(project / "conf"), env="test", **CONFIG_LOADER_ARGS)
    ingest = getattr(parse_parameters(loader["parameters"]), domain).ingest
    table = get_data_module(domain).ingest(ingest, 0).transitions
    rows: list[Row] = table[table["split"] == "train"].to_dict("records")
    rules = get_domain(domain, task_config(domain, TASKS[domain]))
    plain = [{**row, "reasoning": ""} for row in rows]
    answers = {rules.prompt(row)[0].content: rules.completion(row) for row in plain}

    def respond(asked: Asked) -> Said:
        cut = "length" if asked.times_before == 0 else "stop"
        return Said(answers[asked.prompt], REASONING, finish_reason=cut)

    return respond


def stated(domain: str, section: str, values: Mapping[str, Any]) -> str:
    return ",".join(f"{domain}.{section}.{key}={value}" for key, value in values.items())


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_teacher_is_asked_and_sft_trains_on_its_reasoning(
    domain: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TEACHER_KEY", SECRET)
    task = stated(domain, "task", TASKS[domain])
    with fake_teacher(know_the_rows(domain, project)) as teacher:
        asking = {
            "base_url": teacher.url,
            "model": "oracle-7b",
            "api_key_env": "TEACHER_KEY",
            "max_rows": 4,
        }
        params = f"--params={task},{stated(domain, 'distill', asking)}"
        command = ["run", "--env=test", f"--pipelines=distill_{domain}", params]
        first = run_kedro(*command, data_root=tmp_path)
        assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
        assert len(teacher.asked) == 8
        again = run_kedro(*command, "--tags=distill", data_root=tmp_path)
        assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
        assert len(teacher.asked) == 8, "a finished run asks nothing"

    output = first.stdout + first.stderr
    assert f"distill {domain}: 4 of 8 answers accepted (50.0%)" in output
    assert "Traceback" not in output and "Warning" not in output and "HTTP" not in output
    report = json.loads((tmp_path / f"08_reporting/{domain}/distill.json").read_text())
    assert report["answers"]["truncated"] == report["answers"]["accepted"] == 4
    table = tmp_path / f"07_model_output/{domain}/demonstrations.parquet"
    demonstrations = pd.read_parquet(table)
    assert len(demonstrations) == 4
    assert set(demonstrations["reasoning"]) == {REASONING}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
    assert SECRET not in output + again.stdout + again.stderr

    shape = {"scratch.context": CONTEXT[domain]}
    params = f"--params={task},{stated(domain, 'model', shape)},{domain}.sft.steps=2"
    trained = run_kedro(
        "run", "--env=test", f"--pipelines=sft_distilled_{domain}", params, data_root=tmp_path
    )
    assert trained.returncode == 0, trained.stdout[-3000:] + trained.stderr[-3000:]
    inputs = pd.read_parquet(tmp_path / f"06_models/{domain}/sft/inputs/train.parquet")
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
