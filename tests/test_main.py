"""The packaged entry point: ``kedro run`` under the project's own name."""

import subprocess
import sys
from pathlib import Path


def run(cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "worldtune", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_outside_a_clone_it_says_what_is_missing(tmp_path: Path) -> None:
    result = run(tmp_path, "--pipelines=rlvr_web")
    assert result.returncode == 1
    assert "no worldtune project here" in result.stderr
    assert "Traceback" not in result.stderr


def test_inside_a_clone_it_takes_the_arguments_of_kedro_run(project: Path) -> None:
    result = run(project, "--pipelines=ingest_web", "--params=seed=many")
    assert result.returncode == 1
    assert "seed: found 'many' (str), expected an integer" in result.stderr
    assert "Traceback" not in result.stderr
