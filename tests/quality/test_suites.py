import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.validation.exceptions import DataValidationError

from worldtune.quality.suites import SuiteError, check_table, flatten, load_suite, resolve
from worldtune.quality.validator import ExpectationsValidator

SUITES = "conf/base/expectations"
PREDICTIONS = pd.DataFrame(
    {
        "row_id": ["a", "a", "b"],
        "split": ["test_iid", "test_iid", "test_unseen"],
        "model": ["copy", "sft", "rlvr"],
        "completion": ["", "x", "y"],
        "precision": [0.0, 0.5, 1.0],
        "recall": [0.0, 0.5, 1.0],
        "f1": [0.0, 0.5, 1.0],
        "exact": [0.0, 0.0, 1.0],
    }
)
TRANSITIONS = pd.DataFrame(
    {
        "url": ["/cart"],
        "objective": ["Buy tea"],
        "previous_action": ["None"],
        "row_id": ["0123456789abcdef"],
        "source": ["own"],
        "page_set": ["own"],
        "site": ["cart"],
        "task": ["buy"],
        "seed": [0],
        "step": [0],
        "observation": ["[1] button 'Add'"],
        "action": ["click [1]"],
        "next_id": [2],
        "next_observation": ["[1] button 'Add'\n[2] StaticText 'Done'"],
        "new_items": [["[2] StaticText 'Done'"]],
        "deleted_items": [[]],
        "updated_items": [[]],
        "hidden_items": [[]],
        "changed": [True],
        "structural": [True],
        "predictable": [True],
        "obs_tokens_est": [5],
        "diff_tokens_est": [6],
        "split": ["train"],
    }
)
QUARANTINE = pd.DataFrame(
    [["a.jsonl:1", "not_json", "the line is not JSON", ""]],
    columns=["origin", "reason", "message", "excerpt"],
)
GOOD = {
    "web_transitions": TRANSITIONS,
    "web_quarantine": QUARANTINE,
    "web_set": TRANSITIONS,
    "web_predictions": PREDICTIONS,
}


def failures(table: pd.DataFrame, name: str) -> dict[tuple[str, str], int]:
    results = check_table(table, load_suite(f"{SUITES}/{name}.json"))
    return {
        (r.column, r.expectation.split(" (")[0]): r.num_unexpected for r in results if not r.is_met
    }


def test_lists_become_counts_and_flags_become_numbers() -> None:
    flat = flatten(pd.DataFrame({"x": [["a", "b"], []], "flag": [True, False], "n": [1, 2]}))
    assert flat.to_dict("list") == {"num_x": [2, 0], "flag": [1, 0], "n": [1, 2]}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_table_meets_its_suite(name: str) -> None:
    assert failures(GOOD[name], name) == {}


@pytest.mark.parametrize("name", ["web_quarantine", "web_set"])
def test_an_empty_table_meets_suites_of_tables_that_may_be_empty(name: str) -> None:
    assert failures(GOOD[name].head(0), name) == {}


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("web_transitions", {"split": "holdout"}, {("split", "values to be in set"): 1}),
        ("web_transitions", {"action": "drag [1]"}, {("action", "values to match regex"): 1}),
        ("web_transitions", {"site": None}, {("site", "values to not be null"): 1}),
        ("web_quarantine", {"reason": "odd"}, {("reason", "values to be in set"): 1}),
        ("web_predictions", {"f1": 1.5}, {("f1", "values to be between"): 3}),
        (
            "web_predictions",
            {"row_id": "a", "model": "copy", "split": "test_iid"},
            {("row_id, split, model", "compound columns to be unique"): 3},
        ),
    ],
)
def test_a_broken_table_fails_exactly_the_expectation_it_breaks(
    name: str, changes: Mapping[str, Any], expected: dict[tuple[str, str], int]
) -> None:
    assert failures(GOOD[name].assign(**changes), name) == expected


def test_a_missing_column_is_named() -> None:
    suite = load_suite(f"{SUITES}/web_quarantine.json")
    broken = [r for r in check_table(QUARANTINE.drop(columns="reason"), suite) if not r.is_met]
    assert {result.column for result in broken} == {"reason"}
    assert '"reason"' in broken[0].detail


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("{}", "needs the keys name and expectations"),
    ],
)
def test_a_suite_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "suite.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SuiteError, match=words) as caught:
        load_suite(str(path))
    assert str(path) in str(caught.value)


def test_paths_are_relative_to_the_project_from_anywhere_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = Path(__file__).parents[2]
    monkeypatch.chdir(project / "tests")
    assert resolve(SUITES) == project / SUITES
    monkeypatch.chdir(tmp_path)
    assert resolve(SUITES) == project / SUITES
    assert resolve(str(tmp_path)) == tmp_path


def test_the_catalog_refuses_to_store_a_broken_table(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    catalog = DataCatalog.from_config(
        {
            "web.predictions": {
                "type": "pandas.ParquetDataset",
                "filepath": str(tmp_path / "p.parquet"),
                "validator": {
                    "class": "worldtune.quality.validator.ExpectationsValidator",
                    "on": ["save"],
                    "options": {"suite": f"{SUITES}/web_predictions.json"},
                },
            }
        }
    )
    with pytest.raises(DataValidationError) as caught:
        catalog.save("web.predictions", PREDICTIONS.assign(recall=[0.1, -2.0, 3.0]))
    assert not (tmp_path / "p.parquet").exists()
    message = str(caught.value)
    assert "Validation failed for dataset 'web.predictions' on save" in message
    assert "recall: values to be between (min_value 0.0; max_value 1.0): 2 of 3 rows" in message
    assert "(e.g. -2.0, 3.0)" in message
    catalog.save("web.predictions", PREDICTIONS)
    assert len(catalog.load("web.predictions")) == 3
    assert "Calculating Metrics" not in capfd.readouterr().err


def test_something_else_than_a_table_is_refused() -> None:
    with pytest.raises(DataValidationError, match="expected a pandas table, found list"):
        ExpectationsValidator(suite=f"{SUITES}/web_set.json").validate([1])


def test_importing_the_validator_does_not_import_great_expectations() -> None:
    code = (
        "import sys, worldtune.quality.validator, worldtune.quality.report;"
        "print('great_expectations' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_suite_is_json_with_known_expectations() -> None:
    for file in (Path(__file__).parents[2] / SUITES).glob("*.json"):
        suite = json.loads(file.read_text())
        assert suite["name"] == file.stem
        assert all(e["type"].startswith("expect_") for e in suite["expectations"])
