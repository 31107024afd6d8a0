"""What the hooks do around a run, seen from the command line and from Python."""

import json
from pathlib import Path

import click
import pytest
from kedro.io import DatasetError
from kedro.validation.exceptions import CheckFailure, DataValidationError

from tests.processes import run_kedro
from worldtune.errors import CheckpointError
from worldtune.hooks import UserErrorHooks


def test_a_misspelt_key_stops_the_run_before_any_work(tmp_path: Path) -> None:
    result = run_kedro(
        "run", "--pipeline=rlvr_web", "--params=web.rlvr.group_sise=16", data_root=tmp_path
    )
    assert result.returncode == 1
    assert "Error: 1 invalid parameter; nothing was run." in result.stderr
    assert "web.rlvr.group_sise: unknown key (found 16 (int))" in result.stderr
    assert "Nearest valid key: web.rlvr.group_size (an integer at least 2)" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_missing_input_names_the_file_and_the_way_out(tmp_path: Path) -> None:
    result = run_kedro("run", "--pipelines=rlvr_web", "--tags=rlvr", data_root=tmp_path)
    assert result.returncode == 1
    assert "05_model_input/web/" in result.stderr
    assert "kedro run --pipelines=rlvr_<domain>" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


def test_the_manifest_records_what_a_run_is_made_from(tmp_path: Path) -> None:
    run_kedro(
        "run",
        "--env=test",
        "--pipelines=rlvr_web",
        "--tags=rlvr",
        "--params=seed=7",
        data_root=tmp_path,
    )
    manifest = json.loads((tmp_path / "08_reporting/web/manifest.json").read_text())
    assert manifest["domain"] == "web"
    assert manifest["environment"] == "test"
    assert manifest["nodes"] == ["web.train_rlvr"]
    assert manifest["parameters"]["seed"] == 7
    assert (
        manifest["parameters"]["web"]["rlvr"]["loss"]["clip_low"] == 0.2
    )  # a default, not in any YAML
    assert manifest["versions"]["kedro"].startswith("1.")


@pytest.mark.parametrize(
    "error",
    [
        CheckpointError("no usable checkpoint at here"),
        DataValidationError("suite is not met", failures=[CheckFailure("too few rows")]),
    ],
)
def test_a_user_error_loses_its_traceback(error: Exception) -> None:
    with pytest.raises(click.ClickException) as caught:
        UserErrorHooks().on_pipeline_error(error)
    assert str(error) in caught.value.message


def test_a_user_error_inside_a_dataset_is_found() -> None:
    error = DatasetError("web.sft_model: failed")
    error.__cause__ = CheckpointError("config.json is missing")
    with pytest.raises(click.ClickException, match=r"config\.json is missing"):
        UserErrorHooks().on_pipeline_error(error)


@pytest.mark.parametrize("error", [ValueError("not ours"), RuntimeError("a bug"), DatasetError("")])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    UserErrorHooks().on_pipeline_error(error)
