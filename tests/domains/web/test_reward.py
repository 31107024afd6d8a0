from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from worldtune.contracts import Score
from worldtune.domains.web.metrics import truth
from worldtune.domains.web.reward import score
from worldtune.domains.web.tree import Changes, parse_tree

RECORDING = Path(__file__).parents[3] / "data" / "01_raw" / "web" / "transitions.parquet"

BEFORE = ("[1] RootWebArea 'Shop'", "[2] checkbox 'Tea' checked: False", "[3] button 'Add'")
TRUE = Changes(
    new=("[4] StaticText 'Saved'",),
    deleted=("[3] button 'Add'",),
    updated=("[2] checkbox 'Tea' checked: True",),
)


def expected(total: float, precision: float, recall: float) -> Score:
    return Score(total, {"precision": precision, "recall": recall, "format": 1.0}, True)


@pytest.mark.parametrize(
    ("prediction", "true", "wanted"),
    [
        pytest.param(TRUE, TRUE, expected(1, 1, 1), id="perfect"),
        pytest.param(Changes(), Changes(), expected(1, 1, 1), id="rightly nothing"),
        pytest.param(Changes(("[9] a ''",)), TRUE, expected(0, 0, 0), id="worst"),
        pytest.param(Changes(), TRUE, expected(0, 0, 0), id="nothing changed"),
        pytest.param(Changes(TRUE.new), Changes(), expected(0, 0, 0), id="wrongly something"),
        # 1 hit (the deleted button) of 9 predicted and 3 true: 2 / 12.
        pytest.param(
            Changes(BEFORE, BEFORE, BEFORE), TRUE, expected(1 / 6, 1 / 9, 1 / 3), id="copied input"
        ),
        pytest.param(
            Changes((), TRUE.deleted, TRUE.updated), TRUE, expected(0.8, 1, 2 / 3), id="one missing"
        ),
    ],
)
def test_rewards_on_hand_computed_changes(
    prediction: Changes, true: Changes, wanted: Score
) -> None:
    found = score(prediction, true)
    assert found.total == pytest.approx(wanted.total)
    assert dict(found.parts) == pytest.approx(dict(wanted.parts))
    assert found.parsed


@pytest.mark.parametrize("true", [TRUE, Changes()])
def test_an_unreadable_answer_scores_the_floor(true: Changes) -> None:
    assert score(None, true) == Score(
        0.0, {"precision": 0.0, "recall": 0.0, "format": 0.0}, parsed=False
    )


def test_strategies_that_ignore_the_action_earn_little_on_the_recording(
    record_property: Callable[[str, object], None],
) -> None:
    if not RECORDING.is_file():
        pytest.skip(f"NOT CHECKED on shipped rows: no recording at {RECORDING}")
    table = pd.read_parquet(RECORDING)[::4]
    sums = dict.fromkeys(("nothing", "all new", "all deleted", "all updated", "all"), 0.0)
    for row in table.to_dict("records"):
        page = tuple(node.line for node in parse_tree(row["observation"]))
        answers = {
            "nothing": Changes(),
            "all new": Changes(new=page),
            "all deleted": Changes(deleted=page),
            "all updated": Changes(updated=page),
            "all": Changes(page, page, page),
        }
        for name, answer in answers.items():
            sums[name] += score(answer, truth(row)).total
    means = {name: total / len(table) for name, total in sums.items()}
    for name, mean in means.items():
        record_property(name, round(mean, 4))
    # Doing nothing is right where nothing changes, on at most a quarter of the rows.
    assert means["nothing"] == pytest.approx(1 - table.changed.mean())
    assert means["nothing"] <= 0.25
    assert max(means["all new"], means["all updated"]) < 0.02
    assert max(means["all deleted"], means["all"]) < 0.25, means
