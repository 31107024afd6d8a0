"""Our copies of the reference's text-game rewards, and our own, on the reference's own data."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from worldtune.domains.text_game import reference
from worldtune.domains.text_game.answer import read_changes
from worldtune.domains.text_game.metrics import metrics
from worldtune.domains.text_game.reference_reward import reference_rewards
from worldtune.domains.text_game.state import Changes, diff, make_state

DATA = Path(__file__).parents[3] / "shared" / "data"
GOLDEN = DATA / "golden" / "text_game_rewards.jsonl.gz"
TESTS = DATA / "gpt_simulator" / "data" / "test.zip"


@pytest.fixture(scope="module")
def states():
    """(game, state_id) -> the states before and after the step."""
    if not TESTS.is_file():
        pytest.skip(f"NOT CHECKED on the reference's data: no test set at {TESTS}")
    with zipfile.ZipFile(TESTS) as archive:
        rows = [json.loads(line) for line in archive.open("test.jsonl")]
    return {
        (row["game"], row["state_id"]): (
            make_state(row["current_state"]["objects"], row["current_score_state"]),
            make_state(row["tick_state"]["objects"], row["next_score_state"]),
        )
        for row in rows
    }


def test_every_golden_answer_gets_the_rewards_of_the_reference(states):
    if not GOLDEN.is_file():
        pytest.skip(f"NOT CHECKED against the reference: no golden rewards at {GOLDEN}")
    with gzip.open(GOLDEN, "rt", encoding="utf-8") as lines:
        golden = [json.loads(line) for line in lines]
    assert len(golden) == 889
    wrong = []
    for row in golden:
        found = reference_rewards(row["response"], *states[row["game"], row["state_id"]])
        errors = found.binary - row["binary"], found.task_specific - row["task_specific"]
        if max(map(abs, errors)) > 1e-9:
            wrong.append((row["game"], row["state_id"], errors))
    assert wrong == []


def test_saying_that_nothing_changes_is_right_on_the_unchanged_rows(states):
    scores = [metrics(Changes(), diff(*pair), pair[0])["exact"] for pair in states.values()]
    assert (sum(scores), len(scores)) == (982, 1833)
    assert 100 * sum(scores) / len(scores) == pytest.approx(53.57, abs=0.005)


def test_the_true_difference_is_right_in_our_form_and_mostly_in_the_references(states):
    exact = binary = 0.0
    for before, after in states.values():
        text = f"{reference.MARKER}\n{reference.write_difference(before, after)}"
        true = diff(before, after)
        exact += metrics(read_changes(text, before), true, before)["exact"]
        binary += reference_rewards(text, before, after).binary
    assert (exact, binary) == (1833, 1805)
