"""The folder of one training run as a Kedro input: nodes learn paths from the catalog alone.

Its contents (specification, metrics per step, resumable state) belong to the trainer; see
docs/architecture.md. The dataset is read-only: nothing is passed through it but the path.
"""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class RunDir(AbstractDataset[None, str]):
    """The path of a folder, created on load if it is not there."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Bind the dataset to a folder.

        Args:
            filepath: Path of the run folder.
            metadata: Passed through for tools such as Kedro-Viz.
        """
        self._path = Path(filepath)
        self.metadata = metadata

    def load(self) -> str:
        """The path of the run folder, which exists afterwards."""
        self._path.mkdir(parents=True, exist_ok=True)
        return str(self._path)

    def save(self, data: None) -> NoReturn:
        """Refuse: run folders are inputs only. Raises DatasetError always."""
        raise DatasetError(f"{self._path} is a run folder; nodes take it as an input only")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}
