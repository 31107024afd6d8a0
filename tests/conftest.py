"""What every test may ask for."""

from pathlib import Path

import pytest

from tests.processes import PROJECT


@pytest.fixture(scope="session")
def project() -> Path:
    """The root folder of the repository."""
    return PROJECT
