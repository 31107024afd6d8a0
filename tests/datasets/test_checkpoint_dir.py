"""A checkpoint passes the catalog as a path, and only if it is whole and where it belongs."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from worldtune.datasets.checkpoint_dir import CheckpointDir
from worldtune.errors import CheckpointError


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_a_complete_folder_is_loaded_as_its_path(checkpoint: Path) -> None:
    dataset = CheckpointDir(filepath=str(checkpoint))
    dataset.save(str(checkpoint))
    assert dataset.exists()
    assert dataset.load() == str(checkpoint)


@pytest.mark.parametrize(
    ("missing", "words"), [("config.json", "config.json is missing"), ("model.safetensors", "no *")]
)
def test_an_incomplete_folder_names_what_is_missing(
    checkpoint: Path, missing: str, words: str
) -> None:
    (checkpoint / missing).unlink()
    dataset = CheckpointDir(filepath=str(checkpoint))
    assert not dataset.exists()
    for use in (dataset.load, lambda: dataset.save(str(checkpoint))):
        with pytest.raises(DatasetError) as caught:
            use()
        assert isinstance(caught.value.__cause__, CheckpointError)
        assert words in str(caught.value.__cause__)


def test_a_missing_folder_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        CheckpointDir(filepath=str(tmp_path / "none")).load()
    assert "the folder does not exist" in str(caught.value.__cause__)
    assert "kedro run --pipelines=rlvr_<domain>" in str(caught.value.__cause__)


def test_a_model_elsewhere_than_the_catalog_says_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    dataset = CheckpointDir(filepath=str(tmp_path / "elsewhere"))
    with pytest.raises(DatasetError) as caught:
        dataset.save(str(checkpoint))
    assert "but the catalog expects" in str(caught.value.__cause__)
