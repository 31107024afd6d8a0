"""What the recording in the repository promises."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from worldtune.domains.web.recorder.manifest import MANIFEST, TABLE
from worldtune.domains.web.recorder.pages import HELD_OUT_FAMILIES, HELD_OUT_SITES
from worldtune.domains.web.recorder.recording import schema
from worldtune.domains.web.tree import diff, parse_tree

FOLDER = "data/01_raw/web"


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:
    return project / FOLDER


@pytest.fixture(scope="module")
def manifest(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def rows(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / TABLE)


def test_the_manifest_names_the_table_that_ships(folder: Path, manifest: dict[str, Any]) -> None:
    data = (folder / TABLE).read_bytes()
    assert hashlib.sha256(data).hexdigest() == manifest["sha256"]
    assert len(data) < 2_000_000


def test_it_is_large_enough_and_counted_right(rows: pd.DataFrame, manifest: dict[str, Any]) -> None:
    assert len(rows) >= 8_000
    assert manifest["all"]["rows"] == len(rows)
    assert {name: each["rows"] for name, each in manifest["splits"].items()} == Counter(rows.split)


def test_it_has_the_columns_of_the_recorder(rows: pd.DataFrame) -> None:
    assert list(rows.columns) == schema().names
    assert rows.row_id.is_unique
    assert rows.stable.all()


def test_no_page_and_action_stand_in_two_rows(rows: pd.DataFrame) -> None:
    assert not rows.duplicated(["observation", "action"]).any()


def test_at_most_a_quarter_of_each_split_is_unchanged(rows: pd.DataFrame) -> None:
    assert ((~rows.changed).groupby(rows.split).mean() <= 0.25).all()


def test_about_two_fifths_of_the_changed_rows_hold_hidden_content(rows: pd.DataFrame) -> None:
    changed = rows[rows.changed]
    assert 0.35 <= (~changed.predictable).mean() <= 0.45


def test_whole_sites_and_families_are_held_out(rows: pd.DataFrame) -> None:
    unseen = rows[rows.split == "test_unseen"]
    assert set(unseen[unseen.page_set == "own"].site) == HELD_OUT_SITES
    assert set(unseen[unseen.page_set == "miniwob"].site) == HELD_OUT_FAMILIES
    assert not set(rows[rows.split != "test_unseen"].site) & (HELD_OUT_SITES | HELD_OUT_FAMILIES)


def test_a_seed_of_a_site_is_in_one_split(rows: pd.DataFrame) -> None:
    assert (rows.groupby(["page_set", "site", "seed"]).split.nunique() == 1).all()


def test_all_five_actions_occur_and_at_least_twelve_mini_sites(rows: pd.DataFrame) -> None:
    assert set(rows.action.str.split(" ").str[0]) == {"click", "type", "select", "goto", "go_back"}
    assert rows[rows.page_set == "own"].site.nunique() >= 12


def test_every_row_agrees_with_its_trees(rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        before, after = parse_tree(row.observation), parse_tree(row.next_observation)
        changes = diff(before, after)
        assert [list(section) for section in changes.sections] == [
            list(row.new_items),
            list(row.deleted_items),
            list(row.updated_items),
        ], row.row_id
        assert row.changed is not changes.is_empty
        assert set(row.hidden_items) <= {*row.new_items, *row.updated_items}
        assert row.predictable is (len(row.hidden_items) == 0)


def test_new_elements_bear_the_next_ids_in_document_order(rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        expected = [f"[{row.next_id + place}] " for place in range(len(row.new_items))]
        assert all(map(str.startswith, row.new_items, expected)), row.row_id


def test_every_action_acts_on_an_element_of_its_page(rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        target = re.match(r"(?:click|type|select) (\[\d+\]) ?", row.action)
        if target:
            assert re.search(rf"^\t*{re.escape(target[1])} ", row.observation, re.M), row.row_id


def test_the_miniwob_notice_comes_with_its_rows(manifest: dict[str, Any], folder: Path) -> None:
    assert "MIT License" in manifest["licences"]["miniwob"]
    assert "MiniWoB++" in (folder / "README.md").read_text("utf-8")
