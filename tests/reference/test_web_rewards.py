"""Our copy of the reference scorer against the reference itself."""

import gzip
import json
from pathlib import Path

import pytest

from worldtune.domains.web.reward import reference_f1

GOLDEN = Path(__file__).parents[3] / "shared" / "data" / "golden" / "web_rewards.jsonl.gz"
NONE = "New items:\nNone\n\nDeleted items:\nNone\n\nUpdated items:\nNone\n"


def test_every_golden_row_gets_the_f1_of_the_reference() -> None:
    if not GOLDEN.is_file():
        pytest.skip(f"NOT CHECKED against the reference: no golden rewards at {GOLDEN}")
    with gzip.open(GOLDEN, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    assert len(rows) == 400
    # Equal to the last digit: no tolerance.
    wrong = [i for i, r in enumerate(rows) if reference_f1(r["prediction"], r["target"]) != r["f1"]]
    assert wrong == []


def sections(new: str, deleted: str = "None", updated: str = "None") -> str:
    return f"New items:\n{new}\n\nDeleted items:\n{deleted}\n\nUpdated items:\n{updated}\n"


@pytest.mark.parametrize(
    ("prediction", "target", "f1"),
    [
        pytest.param(NONE, NONE, 1.0, id="three times None is a perfect answer"),
        # 2 of 3 predicted and 2 of 3 true items agree.
        pytest.param(NONE, sections("[1] a 'b'"), 2 / 3, id="three times None, one item appears"),
        # 3 of 4 and 3 of 4: one of two items is right and None twice.
        pytest.param(
            sections("[1] a 'b'\n[2] a 'c'"),
            sections("[1] a 'b'\n[3] a 'd'"),
            0.75,
            id="one of two right",
        ),
        pytest.param("", NONE, 0.0, id="empty text"),
        pytest.param(NONE, "", 0.0, id="empty target"),
        pytest.param("", "", 0.0, id="both empty"),
        pytest.param("[1] a 'b'", sections("[1] a 'b'"), 0.0, id="no header, no item"),
        # Precision 1/1, recall 1/3.
        pytest.param("New items:\n[1] a 'b'", sections("[1] a 'b'"), 0.5, id="truncated"),
        pytest.param("so: " + NONE, NONE, 0.8, id="text before the first header hides it"),
        pytest.param("Think.\n" + NONE, NONE, 1.0, id="text before the first header is free"),
        # 3 hits of 4 predicted: precision 3/4, recall 1.
        pytest.param(NONE + "<|im_end|>", NONE, 6 / 7, id="end-of-text marks are items"),
        # The glued mark spoils the third item: 2 of 3.
        pytest.param(NONE.rstrip() + "</s>", NONE, 2 / 3, id="a glued end-of-text mark"),
        pytest.param(NONE + NONE, NONE, 1.0, id="repeated headers accumulate"),
        pytest.param("New items: x\n" + NONE, NONE, 1.0, id="text on a header line is ignored"),
        pytest.param(sections("[1] a 'b'\n[1] a 'b'"), sections("[1] a 'b'"), 1.0, id="duplicates"),
        pytest.param(sections("\t[1] a 'b' "), sections("[1] a 'b'"), 1.0, id="indentation"),
        pytest.param(sections("[1] a 'B'"), sections("[1] a 'b'"), 2 / 3, id="case matters"),
        pytest.param(sections("None", "[1] a 'b'"), sections("[1] a 'b'"), 1 / 3, id="section"),
    ],
)
def test_the_reference_scorer_on_hand_computed_pairs(
    prediction: str, target: str, f1: float
) -> None:
    assert reference_f1(prediction, target) == pytest.approx(f1, abs=1e-12)
