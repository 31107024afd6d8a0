import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from worldtune.pipelines.ingest import create_pipeline
from worldtune.pipelines.ingest.nodes import build_transitions, split_sets

OUTPUTS = {
    "web.transitions",
    "web.quarantine",
    "web.ingest_report",
    "web.validation_report",
    "web.train_set",
    "web.val_set",
    "web.test_iid_set",
    "web.test_unseen_set",
}


def source(folder: Path, num_rows: int = 60) -> dict[str, Any]:
    """Parameters that read a file of good rows and one bad line."""
    page = "[1] checkbox 'Tea {}' checked: {}\n[2] button 'Add'"
    rows = [
        {
            "url": f"http://shop{i % 3}.test/",
            "objective": f"Buy tea {i}",
            "previous_action": "None",
            "observation": page.format(i, False),
            "action": "click [1]",
            "next_observation": page.format(i, True),
        }
        for i in range(num_rows)
    ]
    lines = [json.dumps(row) for row in rows] + ["{"]
    (folder / "pages.jsonl").write_text("\n".join(lines))
    path = str(folder / "pages.jsonl")
    return {"source": {"kind": "jsonl", "path": path}, "max_bad_fraction": 0.1}


def test_nodes_bear_their_stage_and_domain_and_live_in_its_namespace() -> None:
    pipeline = create_pipeline("web")
    assert all(
        {"ingest", "web"} <= node.tags and node.namespace == "web" for node in pipeline.nodes
    )
    assert pipeline.all_outputs() == OUTPUTS
    assert pipeline.inputs() == {"params:web.ingest", "params:seed"}


@pytest.mark.parametrize("switch", ["1", "0"])
def test_the_stage_runs_and_stores_every_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    monkeypatch.setenv("KEDRO_DATASET_VALIDATION", switch)
    types = {"ingest_report": "json.JSONDataset", "validation_report": "text.TextDataset"}
    catalog = DataCatalog.from_config(
        {
            name: {
                "type": types.get(name.removeprefix("web."), "pandas.ParquetDataset"),
                "filepath": str(tmp_path / name),
            }
            for name in OUTPUTS
        }
    )
    catalog["params:web.ingest"] = MemoryDataset(source(tmp_path))
    catalog["params:seed"] = MemoryDataset(0)
    SequentialRunner().run(create_pipeline("web"), catalog)
    table = catalog.load("web.transitions")
    sets = [catalog.load(f"web.{split}_set") for split in ("train", "val", "test_iid")]
    assert sum(map(len, sets)) == len(table) == 60
    assert [set(part["split"]) for part in sets] == [{"train"}, {"val"}, {"test_iid"}]
    assert len(catalog.load("web.test_unseen_set")) == 0
    assert list(catalog.load("web.quarantine")["reason"]) == ["not_json"]
    html = catalog.load("web.validation_report")
    assert ("switched off" in html) == (switch == "0")
    assert ("web.transitions: 25 of 25 met" in html) == (switch == "1")


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    _, _, report = build_transitions(source(tmp_path), 0, domain="web")
    assert json.loads(json.dumps(report)) == report
    assert report["counts"]["rows_in"] == 61
    assert len(report["source"]["sha256"]) == 64


def test_a_split_without_rows_keeps_its_columns() -> None:
    table = pd.DataFrame({"row_id": ["a"], "split": ["train"]})
    train, val, test_iid, test_unseen = split_sets(table)
    assert len(train) == 1
    assert all(list(part.columns) == ["row_id", "split"] for part in (val, test_iid, test_unseen))


def test_tables_survive_parquet(tmp_path: Path) -> None:
    transitions, quarantine, _ = build_transitions(source(tmp_path), 0, domain="web")
    for name, table in (("t", transitions), ("q", quarantine), ("empty", transitions.head(0))):
        table.to_parquet(tmp_path / f"{name}.parquet", index=False)
        assert list(pd.read_parquet(tmp_path / f"{name}.parquet").columns) == list(table.columns)
