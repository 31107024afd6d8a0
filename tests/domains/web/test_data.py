import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from worldtune.config import WebIngestConfig, WebSource
from worldtune.domains.web.checks import complete_row, estimate_tokens, row_id
from worldtune.domains.web.data import ingest
from worldtune.ingestion.account import TooManyBadRowsError
from worldtune.ingestion.ingest import Ingested
from worldtune.ingestion.rows import RowFault, SourceError

PAGE = """Tab 0 (current): Shop
[1] RootWebArea 'Shop'
\t[2] checkbox 'Tea' checked: False
\t[3] button 'Add'
\t[4] textbox 'Search' value: 'cup'"""
TICKED = PAGE.replace("checked: False", "checked: True")
UPDATE = ["[2] checkbox 'Tea' checked: True"]
RECORDING = Path(__file__).parents[3] / "data/01_raw/web/transitions.parquet"


def raw(**changes: Any) -> dict[str, Any]:
    """A good row of our own exchange format; None takes a field away."""
    values = {
        "url": "http://shop.test/list",
        "objective": "Buy tea",
        "previous_action": "None",
        "observation": PAGE,
        "action": "click [2]",
        "next_observation": TICKED,
    }
    return {key: value for key, value in {**values, **changes}.items() if value is not None}


def complete(**changes: Any) -> dict[str, Any]:
    return complete_row(raw(**changes), kind="jsonl", number=3, max_tokens=1024)


def write(folder: Path, rows: list[dict[str, Any]], name: str = "a.jsonl") -> WebIngestConfig:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / name).write_text(text)
    return WebIngestConfig(source=WebSource(kind="jsonl", path=str(folder)), max_bad_fraction=1.0)


def numbered(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Rows of ``count`` tasks, each with a page of its own."""
    return [
        raw(
            observation=PAGE.replace("Tea", f"Tea {i}"),
            next_observation=TICKED.replace("Tea", f"Tea {i}"),
            objective=f"Buy tea {i}",
            **changes,
        )
        for i in range(count)
    ]


def unchanged(count: int, **changes: Any) -> list[dict[str, Any]]:
    pages = [PAGE.replace("Tea", f"Milk {i}") for i in range(count)]
    return [raw(observation=page, next_observation=page, **changes) for page in pages]


def test_a_good_row_gets_every_column_that_its_source_leaves_out() -> None:
    row = complete()
    assert row == {
        "row_id": row_id(row),
        "source": "jsonl",
        "page_set": "user",
        "site": "shop.test",
        "task": "Buy tea",
        "seed": 0,
        "step": 3,
        "url": "http://shop.test/list",
        "objective": "Buy tea",
        "previous_action": "None",
        "observation": PAGE,
        "action": "click [2]",
        "next_id": 5,
        "next_observation": TICKED,
        "new_items": [],
        "deleted_items": [],
        "updated_items": UPDATE,
        "hidden_items": [],
        "changed": True,
        "structural": False,
        "focus_only": False,
        "predictable": True,
        "stable": True,
        "done": False,
        "reward": 0.0,
        "obs_tokens_est": estimate_tokens([PAGE]),
        "diff_tokens_est": 9,  # 33 characters and a line break, by 4, rounded up
        "split": None,
        "recorder": "",
        "browser": "",
        "licence": "",
    }


def test_new_lines_whose_words_are_nowhere_in_the_input_are_hidden_and_numbers_are_not() -> None:
    added = f"{PAGE}\n\t[5] StaticText 'Buy 3'\n\t[6] StaticText 'Delivery'"
    row = complete(next_observation=added)
    assert row["new_items"] == ["[5] StaticText 'Buy 3'", "[6] StaticText 'Delivery'"]
    assert row["hidden_items"] == ["[6] StaticText 'Delivery'"]
    assert (row["predictable"], row["structural"]) == (False, True)


def test_lists_in_another_order_are_accepted_and_put_in_page_order() -> None:
    both = TICKED.replace("'cup'", "'tea'")
    lines = ["[4] textbox 'Search' value: 'tea'", *UPDATE]
    row = complete(next_observation=both, new_items=[], deleted_items=[], updated_items=lines)
    assert row["updated_items"] == lines[::-1]


BAD = [
    ("missing_field", {"action": None}, "action is absent; expected text"),
    ("missing_field", {"observation": 7}, "observation is of type int; expected text"),
    ("missing_field", {"observation": " \n"}, "observation is empty"),
    ("missing_field", {"next_observation": None}, "neither next_observation nor new, deleted"),
    ("missing_field", {"new_items": [1]}, "new_items is not a list of texts"),
    ("missing_field", {"step": "two"}, "step is 'two'; expected an integer"),
    ("missing_field", {"seed": 2**40}, "seed is '1099511627776'; expected an integer"),
    ("missing_field", {"reward": "high"}, "reward is of type str; expected a number"),
    ("not_utf8", {"objective": "Buy \ud800"}, "lone surrogate ('\\ud800')"),
    ("not_utf8", {"observation": PAGE + "\0"}, "null character"),
    ("too_long", {"observation": PAGE + "\n\t[5] link 'x'" * 1000}, "web.ingest.max_tokens allows"),
    ("unparsable_tree", {"observation": PAGE + "\n<p>"}, "not an element line: '<p>'"),
    ("unparsable_tree", {"next_observation": "Tab 0 (current): a"}, "next_observation: the obs"),
    ("duplicate_ids", {"observation": PAGE + "\n[3] link 'x'"}, "id [3] occurs twice"),
    ("duplicate_ids", {"next_observation": PAGE + "\n[3] link 'x'"}, "next_observation: id [3]"),
    ("unknown_action", {"action": "drag [2] [3]"}, "'drag [2] [3]'; expected click, hover"),
    ("unknown_action", {"action": "click 2"}, "'click 2'; expected click, hover"),
    ("action_target_missing", {"action": "click [9]"}, "no element [9] on the page (4 elements"),
    ("action_target_missing", {"action": "type [5] [a] [0]"}, "no element [5]"),
    ("action_target_missing", {"action": "select [5] [a]"}, "no element [5]"),
    ("empty_target_changed", {"next_observation": PAGE, "changed": True}, "yet no item is new"),
    ("inconsistent_diff", {"changed": False}, "changed is false, yet 1 items are listed"),
    (
        "inconsistent_diff",
        {"new_items": ["[9] link 'x'"], "deleted_items": [], "updated_items": UPDATE},
        "new_items differs from what the two pages show: 1 too many, 0 missing",
    ),
    ("inconsistent_diff", {"hidden_items": ["[9] link 'x'"]}, "neither new nor updated"),
    (
        "unparsable_tree",
        {"next_observation": None, "new_items": ["x"], "deleted_items": [], "updated_items": []},
        "new_items: not an element line: 'x'",
    ),
]

# Only other formats bring hidden_items, or lists without the next page.
BAD_LINES = [bad for bad in BAD[:-1] if "hidden_items" not in bad[1]]


@pytest.mark.parametrize(("reason", "changes", "words"), BAD)
def test_every_bad_row_has_one_reason_and_says_what_was_found(
    reason: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RowFault) as caught:
        complete(**changes)
    assert caught.value.reason == reason
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "action",
    """click [2]|hover [3]|type [4] [a [b] c] [1]|type [4] []|select [2] [x]|press [Enter]|
scroll [down]|goto [http://a.test/?q=1]|go_back|go_forward|new_tab|tab_focus [0]|close_tab|stop|
stop [done]""".replace("\n", "").split("|"),
)
def test_every_action_of_the_vocabulary_is_accepted(action: str) -> None:
    assert complete(action=action)["action"] == action


@pytest.mark.parametrize(
    "page",
    [
        "[1] a '" + "' x: y" * 1600,
        "[1] a 'n'" + " k: v" * 1900 + "'",
        "\t" * 100_000 + "[1] a 'n'",
        "\n".join(f"[{i}] a 'n' k:" for i in range(50_000)),
        "'" * 1_000_000,
    ],
)
def test_hostile_pages_are_answered_within_a_second(page: str) -> None:
    start = time.perf_counter()
    with pytest.raises(RowFault):
        complete_row(raw(observation=page), kind="jsonl", number=0, max_tokens=10**9)
    assert time.perf_counter() - start < 1


def ingest_mixed(folder: Path) -> Ingested:
    """40 tasks, 30 unchanged rows, bad rows of every kind, two copies in the test file."""
    write(folder, numbered(2, step=0), "test.jsonl")
    rows = numbered(40, step=0) + unchanged(30, step=1)
    bad = [raw(**changes) for _, changes, _ in BAD_LINES]
    return ingest(write(folder, rows + bad, "train.jsonl"), seed=1)


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    counts = ingest_mixed(tmp_path).report["counts"]
    assert counts["rows_in"] == 2 + 40 + 30 + len(BAD_LINES)
    assert counts["quarantined"] == len(BAD_LINES)
    assert counts["duplicates"] == 2
    places = ("rows_out", "quarantined", "surplus_unchanged", "duplicates")
    assert counts["rows_in"] == sum(counts[place] for place in places)
    assert counts["surplus_unchanged"] > 0


def test_quarantined_rows_keep_their_line_their_reason_and_an_excerpt(tmp_path: Path) -> None:
    quarantine = ingest_mixed(tmp_path).quarantine
    assert list(quarantine.columns) == ["origin", "reason", "message", "excerpt"]
    assert list(quarantine["reason"]) == [reason for reason, _, _ in BAD_LINES]
    assert list(quarantine["origin"]) == [f"train.jsonl:{71 + i}" for i in range(len(BAD_LINES))]
    assert quarantine["excerpt"].str.len().max() <= 1000
    quarantine.to_parquet(tmp_path / "quarantine.parquet")


def test_no_pair_of_page_and_action_is_in_two_splits(tmp_path: Path) -> None:
    table = ingest_mixed(tmp_path).transitions
    assert (table.groupby(["observation", "action"])["split"].nunique() == 1).all()


def test_at_most_a_quarter_of_each_split_is_unchanged(tmp_path: Path) -> None:
    table = ingest_mixed(tmp_path).transitions
    assert ((1 - table.groupby("split")["changed"].mean()) <= 0.25).all()


def test_the_same_seed_gives_the_same_table_and_another_seed_other_splits(tmp_path: Path) -> None:
    config = write(tmp_path, numbered(60) + unchanged(60))
    first, again, other = ingest(config, 1), ingest(config, 1), ingest(config, 2)
    pd.testing.assert_frame_equal(first.transitions, again.transitions)
    assert list(first.transitions["split"]) != list(other.transitions["split"])
    same = {key: value for key, value in first.report.items() if key != "wall_s"}
    assert same == {key: value for key, value in again.report.items() if key != "wall_s"}
    json.dumps(first.report)


def test_past_the_budget_the_run_stops_and_names_counts_examples_and_the_key(
    tmp_path: Path,
) -> None:
    rows = [*numbered(17), raw(action="drag [1]"), raw(action="hop"), raw(observation="<p>")]
    config = write(tmp_path, rows)
    with pytest.raises(TooManyBadRowsError) as caught:
        ingest(config.model_copy(update={"max_bad_fraction": 0.1}), 0)
    lines = str(caught.value).split("\n")
    assert lines[0] == "3 of 20 rows are bad (15.0%); web.ingest.max_bad_fraction allows 10.0%."
    assert lines[2].split(":")[0].split() == ["2", "unknown_action"]
    assert lines[3].split(":")[0].split() == ["1", "unparsable_tree"]
    assert [line.split()[0] for line in lines[5:8]] == [f"a.jsonl:{n}" for n in (18, 19, 20)]
    assert ingest(config.model_copy(update={"max_bad_fraction": 0.15}), 0).report


def test_a_source_without_rows_or_without_training_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the source holds no rows"):
        ingest(write(tmp_path, []), 0)
    with pytest.raises(SourceError, match="leaves no training row"):
        ingest(write(tmp_path, unchanged(5)), 0)


def test_a_source_without_splits_is_split_by_task(tmp_path: Path) -> None:
    rows = [row for step in range(2) for row in numbered(50, step=step)]
    table = ingest(write(tmp_path, rows), 0).transitions
    assert (table.groupby("task")["split"].nunique() == 1).all()
    assert table["split"].value_counts().to_dict() == {"train": 76, "test_iid": 16, "val": 8}


def test_an_unknown_split_is_quarantined(tmp_path: Path) -> None:
    result = ingest(write(tmp_path, [*numbered(9), raw(split="holdout")]), 0)
    assert list(result.quarantine["reason"]) == ["missing_field"]
    assert "split is 'holdout'; expected one of train" in result.quarantine["message"][0]


def test_the_shipped_recording_comes_through_whole(tmp_path: Path) -> None:
    if not RECORDING.exists():
        pytest.skip("data/01_raw/web/transitions.parquet is not there: run `make web-data`")
    recorded = pd.read_parquet(RECORDING)
    start = time.process_time()
    result = ingest(WebIngestConfig(source=WebSource(path=str(RECORDING))), seed=0)
    assert time.process_time() - start < 6
    assert result.report["counts"]["quarantined"] == 0
    assert set(result.transitions["row_id"]) <= set(recorded["row_id"])
    assert list(result.transitions["split"].unique()) != ["train"]
    kept = recorded.set_index("row_id").loc[result.transitions["row_id"]].reset_index()
    for name in recorded.columns:
        if name.endswith("_items"):
            assert list(map(list, kept[name])) == list(result.transitions[name])
        else:
            assert list(kept[name]) == list(result.transitions[name]), name
