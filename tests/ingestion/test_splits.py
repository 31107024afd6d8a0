import operator
from typing import Any

import pytest

from worldtune.ingestion.rows import RowFault
from worldtune.ingestion.splits import (
    MIN_GROUPS,
    assign,
    cap_unchanged,
    drop_duplicates,
    named_split,
    thin,
)


def row(number: int, split: str | None = None, **values: Any) -> dict[str, Any]:
    return {"row_id": str(number), "task": str(number), "split": split, **values}


def assigned(rows: list[dict[str, Any]], val: float, test: float, **more: Any) -> list[str]:
    task = operator.itemgetter("task")
    return assign(rows, task=task, val_fraction=val, test_fraction=test, seed=0, **more)


def test_missing_splits_are_filled_from_training_rows_only() -> None:
    splits = assigned([row(i, "test_unseen" if i < 5 else None) for i in range(25)], 0.1, 0.5)
    assert splits[:5] == ["test_unseen"] * 5
    assert (splits.count("val"), splits.count("test_iid")) == (2, 0)


def test_held_out_rows_are_unseen_and_do_not_spare_the_others_their_test() -> None:
    rows = [row(i, "val" if i == 1 else None) for i in range(40)]
    splits = assigned(rows, 0.5, 0.25, held_out=lambda r: int(r["row_id"]) < 20)
    assert splits[:20] == ["test_unseen"] * 20
    assert [splits[20:].count(name) for name in ("val", "test_iid", "train")] == [10, 5, 5]


def test_rows_of_one_task_stay_together() -> None:
    rows = [row(i, task=str(i // 4)) for i in range(80)]
    splits = assigned(rows, 0.1, 0.2)
    assert all(len(set(splits[i : i + 4])) == 1 for i in range(0, 80, 4))
    assert [splits.count(name) for name in ("train", "val", "test_iid")] == [56, 8, 16]


def test_few_tasks_are_split_by_rows() -> None:
    splits = assigned([row(i, task=str(i % (MIN_GROUPS - 1))) for i in range(100)], 0.1, 0.2)
    assert [splits.count(name) for name in ("train", "val", "test_iid")] == [70, 10, 20]


def test_a_question_stays_in_its_earliest_split_and_an_id_is_kept_once() -> None:
    rows = [
        row(1, "test_iid", asks="a"),
        row(2, "train", asks="a"),
        row(3, "train", asks="a"),
        row(4, "val", asks="b"),
        row(4, "val", asks="b"),
        row(5, "test_unseen", asks="c"),
    ]
    kept, dropped = drop_duplicates(rows, question=lambda r: r["asks"])
    assert [r["row_id"] for r in kept] == ["2", "3", "4", "5"]
    assert dropped == 2


def test_whole_splits_lose_no_question_to_training() -> None:
    rows = [row(1, "train", asks="a"), row(2, "test_iid", asks="a"), row(3, "train", asks="b")]
    kept, dropped = drop_duplicates(rows, question=lambda r: r["asks"], whole={"test_iid"})
    assert [r["row_id"] for r in kept] == ["2", "3"]
    assert dropped == 1


@pytest.mark.parametrize(("fraction", "kept"), [(0.0, 0), (0.25, 1), (0.5, 3), (1.0, 9)])
def test_the_cap_keeps_as_many_unchanged_rows_as_the_share_allows(
    fraction: float, kept: int
) -> None:
    rows = [row(i, "train", changed=i < 3) for i in range(12)]
    left, surplus = cap_unchanged(rows, max_fraction=fraction, seed=0)
    assert (len(left), surplus) == (3 + kept, 9 - kept)


def test_the_cap_leaves_whole_splits_alone() -> None:
    rows = [row(i, split, changed=False) for i, split in enumerate(["train", "test_iid"] * 5)]
    left, surplus = cap_unchanged(rows, max_fraction=0.1, seed=0, whole={"test_iid"})
    assert surplus == 5
    assert {r["split"] for r in left} == {"test_iid"}


def test_the_limit_is_spread_evenly_over_each_split() -> None:
    assert thin(range(10), ["a"] * 6 + ["b"] * 4, 2) == [0, 3, 6, 8]
    assert thin(range(3), ["a"] * 3, 5) == [0, 1, 2]
    assert thin(range(3), ["a"] * 3, None) == [0, 1, 2]


def test_names_of_splits_are_ours_or_a_fault() -> None:
    assert [named_split(name) for name in ("Validation", "test", "", None)] == [
        "val",
        "test_iid",
        None,
        None,
    ]
    for value in ("holdout", 3):
        with pytest.raises(RowFault, match="expected one of train"):
            named_split(value)
