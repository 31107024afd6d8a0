"""A run folder is an input: its path, and the folder is there."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from worldtune.datasets.run_dir import RunDir


def test_loading_makes_the_folder_and_keeps_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "06_models/web/sft"
    dataset = RunDir(filepath=str(folder))
    assert dataset.exists()
    assert dataset.load() == str(folder)
    (folder / "spec.json").write_text("{}")
    assert dataset.load() == str(folder)
    assert (folder / "spec.json").exists()


def test_saving_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="input only"):
        RunDir(filepath=str(tmp_path)).save("anything")
