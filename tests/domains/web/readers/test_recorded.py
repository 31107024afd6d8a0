from pathlib import Path

import pandas as pd

from worldtune.domains.web.checks import complete_row
from worldtune.domains.web.readers import READER
from worldtune.ingestion.rows import RawRow

ROW = {
    "row_id": "0123456789abcdef",
    "source": "miniwob",
    "page_set": "miniwob",
    "site": "click-checkboxes",
    "task": "click-checkboxes-soft",
    "seed": 7,
    "step": 1,
    "url": "/miniwob/click-checkboxes-soft.html",
    "objective": "Tick tea",
    "previous_action": "click [1]",
    "observation": "[1] checkbox 'Tea' checked: False",
    "action": "click [1]",
    "next_id": 9,
    "next_observation": "[1] checkbox 'Tea' checked: True\n[9] StaticText 'tea'",
    "new_items": ["[9] StaticText 'tea'"],
    "deleted_items": [],
    "updated_items": ["[1] checkbox 'Tea' checked: True"],
    "hidden_items": ["[9] StaticText 'tea'"],
    "changed": True,
    "structural": True,
    "focus_only": False,
    "predictable": False,
    "stable": True,
    "done": True,
    "reward": 1.0,
    "obs_tokens_est": 11,
    "diff_tokens_est": 12,
    "split": "test_unseen",
    "recorder": "worldtune-recorder 1",
    "browser": "chromium 156",
    "licence": "MIT",
}


def test_a_recorded_row_keeps_every_column_as_the_recorder_wrote_it(tmp_path: Path) -> None:
    frame = pd.DataFrame([ROW]).astype({"seed": "int32", "reward": "float32"})
    frame.to_parquet(tmp_path / "transitions.parquet", compression="zstd", index=False)
    (raw,) = READER.read("recorded", READER.find_files(str(tmp_path)))
    assert isinstance(raw, RawRow)
    assert complete_row(raw.values, kind="recorded", number=0, max_tokens=1024) == ROW
