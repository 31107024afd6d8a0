import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.domains.text_game.bad_rows import BAD
from tests.domains.text_game.raw_rows import (
    lines,
    objects,
    simulator_row,
    still_row,
    thuml_row,
)
from worldtune.config import OwnGamesConfig, TextGameIngestConfig, TextGameSource
from worldtune.domains.text_game.checks import COLUMNS, REASONS
from worldtune.domains.text_game.data import ingest
from worldtune.errors import ParameterError
from worldtune.ingestion.account import TooManyBadRowsError
from worldtune.ingestion.ingest import Ingested
from worldtune.ingestion.rows import SourceError
from worldtune.quality.report import build_report
from worldtune.quality.suites import check_table, load_suite


def simulator(folder: Path, **config: Any) -> TextGameIngestConfig:
    source = TextGameSource(kind="gpt_simulator", path=str(folder))
    return TextGameIngestConfig(source=source, **{"max_bad_fraction": 1.0, **config})


def clone(folder: Path, train: bytes = b"", test: bytes = b"") -> Path:
    for name, data in (("train", train), ("test", test)):
        if data:
            (folder / "data").mkdir(exist_ok=True)
            (folder / "data" / f"{name}.jsonl").write_bytes(data)
    return folder


GOOD = [simulator_row(i) for i in range(40)]


def ingest_mixed(folder: Path) -> Ingested:
    """40 good training rows, 60 still ones, every bad one; 2 copies, 10 still rows in the test."""
    bad = b"".join(line.rstrip(b"\n") + b"\n" for _, line in BAD.values())
    train = lines(*GOOD, *(still_row(i) for i in range(100, 160))) + bad
    test = lines(*GOOD[:2], *(still_row(i) for i in range(200, 210)))
    return ingest(simulator(clone(folder, train, test)), 1)


def test_every_row_is_accounted_for_and_published_tests_stay_whole(tmp_path: Path) -> None:
    result = ingest_mixed(tmp_path)
    counts = result.report["counts"]
    assert counts["rows_in"] == 40 + 60 + len(BAD) + 12
    assert (counts["quarantined"], counts["duplicates"]) == (len(BAD), 2)
    kept = Counter(zip(result.transitions["split"], result.transitions["changed"], strict=True))
    # 8 % of the 100 training rows are for validation; 35 % of what is left may be unchanged.
    assert (kept["test_iid", True], kept["test_iid", False]) == (2, 10)
    assert kept["train", True] + kept["val", True] == 38
    assert kept["val", True] + kept["val", False] <= 8
    assert kept["train", False] == int(kept["train", True] * 0.35 / 0.65)
    assert counts["rows_in"] == counts["rows_out"] + len(BAD) + 2 + counts["surplus_unchanged"]


def test_bad_rows_are_quarantined_with_their_reasons_and_lines(tmp_path: Path) -> None:
    quarantine = ingest_mixed(tmp_path).quarantine
    assert list(quarantine["reason"]) == [reason for reason, _ in BAD.values()]
    assert list(quarantine["origin"]) == [f"data/train.jsonl:{101 + i}" for i in range(len(BAD))]
    assert quarantine["excerpt"].str.len().max() <= 4 * 400
    quarantine.to_parquet(tmp_path / "quarantine.parquet")
    assert set(quarantine["reason"]) < set(REASONS)


def test_tables_fulfil_their_suites_and_survive_parquet(tmp_path: Path) -> None:
    result = ingest_mixed(tmp_path)
    tables = {
        "transitions": result.transitions,
        "quarantine": result.quarantine,
        "set": result.transitions[result.transitions["split"] == "train"],
    }
    for name, table in tables.items():
        table.to_parquet(tmp_path / "table.parquet", index=False)
        stored = pd.read_parquet(tmp_path / "table.parquet")
        suite = load_suite(f"conf/base/expectations/text_game_{name}.json")
        broken = [outcome for outcome in check_table(stored, suite) if not outcome.is_met]
        assert broken == [], name
    assert list(result.transitions.columns) == list(COLUMNS)
    integers = [name for name in COLUMNS if str(result.transitions[name].dtype) == "int32"]
    assert integers == [
        "seed",
        "step",
        "uuid_base",
        "num_added",
        "num_removed",
        "num_modified",
        "tokens_est",
    ]


def test_the_suite_knows_every_reason() -> None:
    suite = load_suite("conf/base/expectations/text_game_quarantine.json")
    (known,) = [
        e["kwargs"]["value_set"] for e in suite["expectations"] if "value_set" in e["kwargs"]
    ]
    assert known == list(REASONS)


def test_the_report_lists_games_with_their_shares(tmp_path: Path) -> None:
    train = lines(*(simulator_row(i, game=f"game {i % 2}") for i in range(20)))
    report = ingest(simulator(clone(tmp_path, train)), 0).report
    assert json.loads(json.dumps(report)) == report
    assert report["groups"]["plural"] == "games"
    assert list(report["groups"]["members"]) == ["game 0", "game 1"]
    member = report["groups"]["members"]["game 0"]
    assert member["facts"] == {"source": "gpt_simulator"}
    assert member["shares"] == {
        "unchanged": 0.0,
        "gold": 1.0,
        "by_action": 1.0,
        "by_tick": 1.0,
        "score_changed": 1.0,
        "objects_added": 0.0,
        "objects_removed": 0.0,
        "determined": 1.0,
        "determined_of_changed": 1.0,
    }
    html = build_report(report, pd.DataFrame(), None)
    assert "Rows per game and split" in html
    assert "Determined of changed" in html


def test_the_same_seed_gives_the_same_table_and_another_seed_other_splits(tmp_path: Path) -> None:
    config = simulator(clone(tmp_path, lines(*GOOD)))
    first, again, other = ingest(config, 1), ingest(config, 1), ingest(config, 2)
    pd.testing.assert_frame_equal(first.transitions, again.transitions)
    assert list(first.transitions["split"]) != list(other.transitions["split"])


def test_rows_that_start_from_one_state_are_in_one_split(tmp_path: Path) -> None:
    rows = []
    for number in range(40):
        for action in ("look", "wait"):
            row = simulator_row(number)
            row["tick_state"] = {**row["tick_state"], "lastAction": action}
            rows.append({**row, "state_id": len(rows)})
    table = ingest(simulator(clone(tmp_path, lines(*rows))), 0).transitions
    assert len(table) == 80
    assert (table.groupby("state")["split"].nunique() == 1).all()
    assert set(table["split"]) == {"train", "val", "test_iid"}


def test_held_out_games_are_unseen_whatever_their_file_says(tmp_path: Path) -> None:
    train = lines(*(simulator_row(i, game=f"g{i % 4}") for i in range(40)))
    test = lines(*(simulator_row(i, game=f"g{i % 4}") for i in range(40, 50)))
    config = simulator(clone(tmp_path, train, test), held_out_games=("g1", "g3"))
    table = ingest(config, 0).transitions
    unseen = table["game"].isin(["g1", "g3"])
    assert set(table[unseen]["split"]) == {"test_unseen"}
    assert set(table[~unseen]["split"]) == {"train", "val", "test_iid"}
    assert unseen.sum() == 25


def test_a_game_to_hold_out_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    config = simulator(clone(tmp_path, lines(*GOOD)), held_out_games=("lmap",))
    with pytest.raises(SourceError, match=r"held_out_games: 'lmap' is not in the source.*: lamp"):
        ingest(config, 0)


def test_published_tests_alone_are_accepted_for_evaluation(tmp_path: Path) -> None:
    result = ingest(simulator(clone(tmp_path, test=lines(*GOOD, still_row(50)))), 0)
    assert set(result.transitions["split"]) == {"test_iid"}
    assert len(result.transitions) == 41


def test_a_source_that_loses_its_training_rows_is_refused(tmp_path: Path) -> None:
    train = lines(*(still_row(i) for i in range(5)))
    with pytest.raises(SourceError, match="leaves no training row"):
        ingest(simulator(clone(tmp_path, train, lines(*GOOD))), 0)


def test_past_the_budget_the_run_stops(tmp_path: Path) -> None:
    config = simulator(clone(tmp_path, lines(*GOOD) + b"{\n"), max_bad_fraction=0.02)
    with pytest.raises(TooManyBadRowsError, match=r"text_game\.ingest\.max_bad_fraction allows"):
        ingest(config, 0)


def test_a_row_that_comes_with_and_without_reasoning_is_kept_once_with_it(tmp_path: Path) -> None:
    answer = {"modified": [objects(number=3, on=True, heat=21.0)[2]], "removed": [], "score": {}}
    taught = thuml_row(3, truth=f"It lights up.\nThe final answer is:\n{json.dumps(answer)}")
    for name, rows in (
        ("generated_cot", [taught]),
        ("train_state_difference", [thuml_row(i) for i in range(30)]),
        ("train_state_difference_gold", [thuml_row(i) for i in range(20)]),
    ):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    source = TextGameSource(kind="thuml_cot", path=str(tmp_path))
    result = ingest(TextGameIngestConfig(source=source), 0)
    assert result.report["counts"]["duplicates"] == 21
    assert sorted(result.transitions["step"]) == list(range(30))
    by_step = result.transitions.set_index("step")["reasoning"]
    assert by_step[3] == "It lights up."
    assert set(by_step.drop(3)) == {""}
    assert set(result.transitions["changed_by"]) == {"unknown"}


def own(**config: Any) -> TextGameIngestConfig:
    played = {"games": ("kettle", "forage"), "train_seeds": 2, "val_seeds": 1, "test_seeds": 1}
    return TextGameIngestConfig(own=OwnGamesConfig(**{**played, **config}))


def test_our_own_games_are_ingested_and_identified_by_their_rows() -> None:
    first, again = ingest(own(), 0), ingest(own(), 0)
    assert set(first.transitions["split"]) == {"train", "val", "test_iid"}
    assert set(first.transitions["game"]) == {"kettle", "forage"}
    assert first.report["counts"]["quarantined"] == 0
    assert first.report["source"] == again.report["source"]
    assert len(first.report["source"]["sha256"]) == 64
    more = ingest(own(train_seeds=3), 0).report["source"]
    assert more["sha256"] != first.report["source"]["sha256"]


def test_our_own_held_out_games_are_unseen_and_misspelt_ones_are_named() -> None:
    table = ingest(own(unseen_games=("forage",), unseen_seeds=1), 0).transitions
    assert set(table[table["game"] == "forage"]["split"]) == {"test_unseen"}
    with pytest.raises(ParameterError, match=r"own\.games: 'kettel' is no game"):
        ingest(own(games=("kettel",)), 0)
