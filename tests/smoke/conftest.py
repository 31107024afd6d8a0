"""One finished run of the tiny chain of each domain, shared by the smoke tests."""

from pathlib import Path

import pytest

from tests.smoke.runs import FinishedRun, run_chain
from worldtune.domains import DOMAINS

RECORDING = "data/01_raw/web/transitions.parquet"


@pytest.fixture(scope="session", params=DOMAINS)
def chain(
    request: pytest.FixtureRequest, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> FinishedRun:
    """The tiny chain of a domain, run once from nothing but what ships."""
    assert (project / RECORDING).is_file(), f"{RECORDING} ships with the project; restore it"
    return run_chain(tmp_path_factory.mktemp(request.param), domain=request.param)
