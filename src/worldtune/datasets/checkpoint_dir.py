"""A checkpoint folder in Hugging Face format as a Kedro dataset whose value is the folder's path.

Training writes the folder itself, atomically and possibly from several processes; passing weights
through the catalog would keep them in memory between stages. So saving only checks that the folder
is the one that the catalog names and that it is complete; loading checks the latter, too.
"""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from worldtune.errors import CheckpointError


class CheckpointDir(AbstractDataset[str, str]):
    """The path of a folder that ``from_pretrained`` opens.

    Example:
        A catalog entry::

            "{domain}.sft_model":
              type: worldtune.datasets.checkpoint_dir.CheckpointDir
              filepath: data/06_models/{domain}/sft/model
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Bind the dataset to a folder.

        Args:
            filepath: Path of the checkpoint folder.
            metadata: Passed through for tools such as Kedro-Viz.
        """
        self._path = Path(filepath)
        self.metadata = metadata

    def load(self) -> str:
        """The path of the checkpoint.

        Raises:
            CheckpointError: The folder is missing or incomplete.
        """
        problem = find_checkpoint_problem(self._path)
        if problem:
            raise CheckpointError(
                f"no usable checkpoint at {self._path}: {problem}. Run the stage that trains it "
                "first, or the whole chain: kedro run --pipelines=rlvr_<domain>"
            )
        return str(self._path)

    def save(self, data: str) -> None:
        """Check that the trained checkpoint lies where the catalog says.

        Args:
            data: The path that the training node returned.

        Raises:
            CheckpointError: It is another folder than the catalog's, or it is incomplete.
        """
        if Path(data).resolve() != self._path.resolve():
            raise CheckpointError(
                f"the checkpoint was written to {data}, but the catalog expects {self._path}"
            )
        problem = find_checkpoint_problem(self._path)
        if problem:
            raise CheckpointError(f"the checkpoint written to {self._path} is unusable: {problem}")

    def _exists(self) -> bool:
        return find_checkpoint_problem(self._path) is None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}


def find_checkpoint_problem(path: Path) -> str | None:
    """What keeps a folder from being a checkpoint, or None if nothing does."""
    if not path.is_dir():
        return "the folder does not exist"
    if not (path / "config.json").is_file():
        return "config.json is missing"
    if not any(path.glob("*.safetensors")):
        return "no *.safetensors file in it"
    return None
