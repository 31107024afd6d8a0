"""The published test rows, read and classed, against the figures counted from the data itself."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worldtune.config import TextGameIngestConfig, TextGameSource
from worldtune.domains.text_game.data import ingest

CLONE = Path(__file__).parents[3] / "shared" / "data" / "gpt_simulator"
CHANGED, UNCHANGED, GOLD = 851, 982, 791


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    if not (CLONE / "data" / "test.zip").is_file():
        pytest.skip(f"NOT CHECKED against the published rows: no clone of GPT-simulator at {CLONE}")
    source = TextGameSource(kind="gpt_simulator", path=str(CLONE))
    result = ingest(TextGameIngestConfig(source=source), seed=0)
    assert len(result.quarantine) == 0
    return result.transitions


def test_every_row_is_read_and_classed_as_published(rows: pd.DataFrame) -> None:
    assert len(rows) == CHANGED + UNCHANGED == 1833
    assert rows["game"].nunique() == 21
    assert set(rows["split"]) == {"test_iid"}
    assert rows["row_id"].is_unique
    assert rows["changed"].sum() == CHANGED
    assert rows["gold"].sum() == GOLD
    assert (rows["num_added"] > 0).sum() == 28
    assert (rows["num_removed"] > 0).sum() == 30
    assert rows["score_changed"].sum() == 123
    assert rows["changed_by"].isin(["action", "both"]).sum() == 501
    assert rows["changed_by"].isin(["tick", "both"]).sum() == 411


def test_doing_nothing_is_right_on_the_unchanged_rows(rows: pd.DataFrame) -> None:
    assert 100 * (~rows["changed"]).mean() == pytest.approx(53.57, abs=0.005)


def test_every_game_has_its_rules(rows: pd.DataFrame) -> None:
    for rules in rows["rules"].unique():
        texts = json.loads(rules)
        assert all(texts[part] for part in ("objects", "actions", "score"))
        assert "==========" not in texts["objects"]


def test_rows_in_the_form_of_the_rl_data_are_classed_the_same(
    rows: pd.DataFrame, tmp_path: Path
) -> None:
    def entry(index: int, row: pd.Series) -> dict[str, object]:
        def joined(state: str, score: str) -> str:
            return json.dumps({"game_state": [*json.loads(state), json.loads(score)]})

        return {
            "prompt": [{"role": "user", "content": f"Task Description:\n{row.task_desc}\n"}],
            "reward_model": {"ground_truth": joined(row.next_state, row.next_score)},
            "extra_info": {
                "split": "test",
                "index": index,
                "data_state": joined(row.state, row.score),
                "data_action": row.action,
            },
        }

    entries = [entry(index, row) for index, row in rows.iterrows()]
    pq.write_table(pa.Table.from_pylist(entries), tmp_path / "test_state_difference.parquet")
    source = TextGameSource(kind="thuml_cot", path=str(tmp_path))
    table = ingest(TextGameIngestConfig(source=source), seed=0).transitions
    assert (table["changed"].sum(), table["gold"].sum(), len(table)) == (CHANGED, GOLD, 1833)
    for column in ("state", "next_state", "score", "next_score", "action", "num_modified"):
        assert list(table[column]) == list(rows[column]), column
