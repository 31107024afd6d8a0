"""One finished run of the tiny chain, shared by the smoke tests."""

from pathlib import Path

import pytest

from tests.smoke.runs import FinishedRun, run_chain

RECORDING = "data/01_raw/web/transitions.parquet"


@pytest.fixture(scope="session")
def chain(project: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The tiny chain, run once from nothing but the recording."""
    assert (project / RECORDING).is_file(), f"{RECORDING} ships with the project; restore it"
    return run_chain(tmp_path_factory.mktemp("chain"))
