import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.domains.text_game.raw_rows import NOT_WON, WON, game_state, objects, thuml_row
from worldtune.domains.text_game.readers import READER
from worldtune.domains.text_game.readers.thuml_cot import prompt_parts
from worldtune.ingestion.rows import Entry, RawRow, Unreadable

LAMP_ON = objects(number=0, on=True, heat=21.0)[2]
ANSWER = {"modified": [LAMP_ON], "removed": [], "score": WON}
DEEP = game_state(objects(heat="deep"), NOT_WON).replace('"deep"', "[" * 900 + "]" * 900)


def read(folder: Path, *rows: dict[str, Any], name: str = "train.parquet") -> list[Entry]:
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / name)
    return list(READER.read("thuml_cot", READER.find_files(str(folder))))


def test_a_row_of_the_rl_data_becomes_a_raw_row(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, thuml_row(6))
    assert isinstance(entry, RawRow)
    rules = entry.values.pop("rules")
    assert json.loads(rules) == {
        "objects": "Object: Lamp\n\nA lamp is on or off.",
        "actions": "switch on: it is on then",
        "score": "1 point for light",
    }
    assert entry.values == {
        "source": "thuml_cot",
        "game": "Switch the lamp on.",
        "seed": 0,
        "step": 6,
        "rollout": "",
        "task_desc": "Switch the lamp on.",
        "objects": objects(number=6),
        "action_objects": None,
        "next_objects": objects(number=6, on=True, heat=21.0),
        "score": NOT_WON,
        "next_score": WON,
        "uuid_base": 12,
        "action": "switch on lamp (ID: 2)",
        "undetermined": [],
        "reasoning": "",
        "split": "train",
        "licence": "MIT",
    }


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        (f"It lights up.The final answer is:\n{json.dumps(ANSWER)}", "It lights up."),
        (f"It is {{on}}.\n```json\n{json.dumps(ANSWER)}\n```", "It is {on}."),
        (f"Well.\n\nThe final answer is: ```json\n{json.dumps(ANSWER)}```", "Well."),
        (f"True, so.\nThe final state is:\n{ANSWER}", "True, so."),
        (json.dumps(ANSWER), ""),
    ],
)
def test_a_taught_text_gives_its_reasoning_and_the_state_that_its_answer_leads_to(
    tmp_path: Path, text: str, reasoning: str
) -> None:
    (entry,) = read(tmp_path, thuml_row(truth=text), name="generated_cot.parquet")
    assert isinstance(entry, RawRow)
    assert entry.values["reasoning"] == reasoning
    assert entry.values["next_objects"] == objects(number=0, on=True, heat=21.0)
    assert entry.values["next_score"] == WON
    assert entry.values["split"] == "train"


def test_an_answer_that_leaves_the_score_keeps_that_of_the_state_before(tmp_path: Path) -> None:
    text = 'Dark.\nThe final answer is:\n{"modified": [], "removed": [2], "score": {}}'
    (entry,) = read(tmp_path, thuml_row(truth=text))
    assert isinstance(entry, RawRow)
    assert entry.values["next_objects"] == objects()[:2]
    assert entry.values["next_score"] == NOT_WON


def extra(**changes: Any) -> dict[str, Any]:
    return {"extra_info": {**thuml_row()["extra_info"], **changes}}


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"truth": "I do not know."}, "unreadable_answer", "ends with 'I do not know.'"),
        ({"truth": '{"modified": 3}'}, "unreadable_answer", "ends with"),
        ({"truth": '{"game_state": [1]}'}, "missing_state", "ground_truth is no JSON object"),
        ({"truth": " "}, "missing_field", "ground_truth is empty"),
        ({"prompt": []}, "missing_field", "prompt holds no message of the user"),
        (extra(data_state=None), "missing_field", "data_state is absent"),
        (extra(data_state="{"), "missing_state", "data_state is no JSON object"),
        (extra(data_state="[" * 100_000), "missing_state", "data_state is no JSON object"),
        (
            {"truth": json.dumps(ANSWER), **extra(data_state='{"game_state": [{}, {}]}')},
            "malformed_object",
            "data_state: 'uuid'",
        ),
        (
            {
                "truth": f"So.\nThe final answer is: {game_state(objects(), NOT_WON)}",
                **extra(data_state=DEEP),
            },
            "malformed_object",
            "data_state: ",
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_one_unreadable_entry(
    tmp_path: Path, changes: dict[str, Any], reason: str, words: str
) -> None:
    good = thuml_row(1)
    bad, last = read(tmp_path, thuml_row(**changes), good)
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.origin) == (reason, "train.parquet:1")
    assert words in bad.message
    assert isinstance(last, RawRow)


def test_the_last_game_of_a_prompt_counts_and_marks_may_be_missing() -> None:
    assert prompt_parts("Just predict.") == {}
    text = "Task Description:\nWash.\nTask Description:\nDry.\nHere is the game state:\n{}"
    assert prompt_parts(text) == {"task": "Dry.", "state": "{}"}


def test_a_prompt_without_marks_gives_no_game_no_rules_and_no_base(tmp_path: Path) -> None:
    row = thuml_row(prompt=[{"role": "user", "content": "Just predict."}])
    (entry,) = read(tmp_path, row)
    assert isinstance(entry, RawRow)
    found = [entry.values[name] for name in ("game", "task_desc", "rules", "uuid_base")]
    assert found == ["", "", "", None]


def test_the_same_rows_are_read_from_json_lines(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text(json.dumps(thuml_row(6)))
    (entry,) = READER.read("thuml_cot", READER.find_files(str(tmp_path)))
    assert isinstance(entry, RawRow)
    assert entry.values["step"] == 6
    assert game_state(entry.values["objects"], NOT_WON) == thuml_row(6)["extra_info"]["data_state"]
