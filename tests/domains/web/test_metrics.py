from itertools import permutations

import pytest

from worldtune.domains.web.metrics import metrics, subsets, truth
from worldtune.domains.web.tree import Changes

A, B, C, D = (f"[{i}] button '{i}'" for i in range(4))


@pytest.mark.parametrize(
    ("prediction", "true", "precision", "recall", "f1", "exact"),
    [
        pytest.param(Changes((A,)), Changes((A,)), 1, 1, 1, 1, id="perfect"),
        pytest.param(Changes(), Changes(), 1, 1, 1, 1, id="nothing for nothing"),
        pytest.param(None, Changes(), 0, 0, 0, 0, id="unreadable, nothing to find"),
        pytest.param(None, Changes((A,)), 0, 0, 0, 0, id="unreadable"),
        pytest.param(Changes(), Changes((A,)), 0, 0, 0, 0, id="nothing for something"),
        pytest.param(Changes((A,)), Changes(), 0, 0, 0, 0, id="something for nothing"),
        pytest.param(Changes((B,)), Changes((A,)), 0, 0, 0, 0, id="wrong"),
        pytest.param(Changes((A,)), Changes((A, B)), 1, 1 / 2, 2 / 3, 0, id="one missing"),
        pytest.param(Changes((A, B)), Changes((A,)), 1 / 2, 1, 2 / 3, 0, id="one too many"),
        pytest.param(Changes((), (A,)), Changes((A,)), 0, 0, 0, 0, id="in another section"),
        # 2 hits of 3 predicted and 4 true: 2 * 2 / 7.
        pytest.param(
            Changes((A,), (B,), (D,)),
            Changes((A, C), (B,), (C,)),
            2 / 3,
            1 / 2,
            4 / 7,
            0,
            id="pool",
        ),
        # The repeat is a wrong item: 1 hit of 2 predicted.
        pytest.param(Changes((A, A)), Changes((A,)), 1 / 2, 1, 2 / 3, 0, id="a repeat counts once"),
        pytest.param(Changes(("None",)), Changes(), 0, 0, 0, 0, id="None is no item here"),
        pytest.param(Changes((A, B)), Changes((B, A)), 1, 1, 1, 1, id="order is free"),
        pytest.param(Changes((A + " ",)), Changes((A,)), 0, 0, 0, 0, id="lines must be equal"),
    ],
)
def test_metrics_on_hand_computed_changes(
    prediction: Changes | None,
    true: Changes,
    precision: float,
    recall: float,
    f1: float,
    exact: float,
) -> None:
    expected = {"precision": precision, "recall": recall, "f1": f1, "exact": exact}
    assert metrics(prediction, true) == pytest.approx(expected)


def test_the_order_of_items_does_not_matter() -> None:
    true = Changes((A, B), (), (C, D))
    found = {
        tuple(metrics(Changes(new, (), updated), true).values())
        for new in permutations((A, B, C))
        for updated in permutations((D, A))
    }
    assert len(found) == 1


def test_truth_reads_lists_of_any_kind() -> None:
    row = {"new_items": [A], "deleted_items": (), "updated_items": (line for line in (B, C))}
    assert truth(row) == Changes((A,), (), (B, C))


@pytest.mark.parametrize(
    ("changed", "predictable", "names"),
    [
        (True, True, {"changed", "predictable"}),
        (True, False, {"changed", "hidden"}),
        (False, True, {"unchanged", "predictable"}),
    ],
)
def test_rows_belong_to_two_subsets(changed: bool, predictable: bool, names: set[str]) -> None:
    assert subsets({"changed": changed, "predictable": predictable}) == names
