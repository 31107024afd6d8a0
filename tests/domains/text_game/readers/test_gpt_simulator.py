from pathlib import Path
from typing import Any

import pytest

from tests.domains.text_game.raw_rows import NOT_WON, WON, lines, objects, simulator_row
from worldtune.config import TextGameIngestConfig, TextGameSource
from worldtune.domains.text_game.readers import open_source
from worldtune.ingestion.rows import Entry, RawRow, SourceError, Unreadable


def read(folder: Path, data: bytes) -> list[Entry]:
    (folder / "test.jsonl").write_bytes(data)
    source = TextGameSource(kind="gpt_simulator", path=str(folder))
    return list(open_source(TextGameIngestConfig(source=source)).read())


def test_a_line_becomes_a_raw_row_with_the_action_of_the_state_after_the_tick(
    tmp_path: Path,
) -> None:
    rules = tmp_path / "rules/human_written_rules"
    rules.mkdir(parents=True)
    (rules / "action_rules.json").write_text('{"lamp": "switch on"}')
    (entry,) = read(tmp_path, lines(simulator_row(4)))
    assert isinstance(entry, RawRow)
    assert entry.origin == "test.jsonl:1"
    assert entry.values == {
        "source": "gpt_simulator",
        "game": "lamp",
        "seed": 0,
        "step": 4,
        "rollout": "",
        "task_desc": "Switch the lamp on.",
        "rules": '{"objects":"","actions":"switch on","score":""}',
        "objects": objects(number=4),
        "action_objects": objects(number=4, on=True),
        "next_objects": objects(number=4, on=True, heat=21.0),
        "score": NOT_WON,
        "next_score": WON,
        "uuid_base": 3,
        "action": "switch on lamp (ID: 2)",
        "undetermined": [],
        "reasoning": "",
        "split": "test_iid",
        "licence": "none stated",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"current_state": None}, "current_state is absent; expected a state"),
        ({"tick_state": [1]}, "tick_state is of type list; expected a state"),
        ({"action_state": {}}, "action_state holds no objects"),
    ],
)
def test_a_row_without_a_state_is_unreadable_and_the_next_one_is_read(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    bad, good = read(tmp_path, lines(simulator_row(**changes), simulator_row(1)))
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.message) == ("missing_state", message)
    assert isinstance(good, RawRow)


def test_a_row_of_ten_megabytes_is_passed_over_unread(tmp_path: Path) -> None:
    long = simulator_row(look="x" * 10_000_000)
    bad, good = read(tmp_path, lines(long, simulator_row(1)))
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.message) == ("too_long", "the line exceeds 4,000,000 bytes")
    assert isinstance(good, RawRow)


def test_lines_of_another_kind_stop_the_run_with_the_fields_needed(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, b'{"state": 1}\n')
    assert str(caught.value) == (
        "text_game.ingest.source.kind is 'gpt_simulator', but the columns of test.jsonl do not "
        "fit it.\n"
        "  columns found: state\n"
        "  columns that each format needs:\n"
        "    gpt_simulator: game, state_id, current_state, action_state, tick_state, "
        "current_score_state, next_score_state\n"
        "    thuml_cot: prompt, reward_model, extra_info\n"
        "  They fit none: rename the columns to those of one format."
    )
