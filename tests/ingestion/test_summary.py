import pytest

from worldtune.ingestion.summary import Groups, Share, group_summary, histogram, split_summary

SHARES = (
    Share("unchanged", lambda row: not row["changed"]),
    Share("big_of_changed", lambda row: row["big"], is_of_changed=True),
)
GROUPS = Groups("game", "games", facts=("source",))
ROWS = [
    {"game": name, "source": "own", "split": split, "changed": changed, "big": big}
    for name, split, changed, big in (
        ("kettle", "train", True, True),
        ("kettle", "train", False, True),
        ("kettle", "val", True, False),
        ("lamp", "train", False, False),
    )
]


def test_splits_count_rows_groups_and_shares_among_all_or_changed_rows() -> None:
    summary = split_summary(ROWS, SHARES, GROUPS)
    assert list(summary) == ["train", "val", "test_iid", "test_unseen"]
    shares = {"unchanged": 0.6667, "big_of_changed": 1.0}
    assert summary["train"] == {"rows": 3, "groups": 2, "shares": shares}
    nothing = {"unchanged": 0.0, "big_of_changed": 0.0}
    assert summary["test_iid"] == {"rows": 0, "groups": 0, "shares": nothing}


def test_groups_are_listed_by_name_with_their_facts() -> None:
    summary = group_summary(ROWS, SHARES, GROUPS)
    assert (summary["name"], summary["plural"]) == ("game", "games")
    assert list(summary["members"]) == ["kettle", "lamp"]
    assert summary["members"]["kettle"] == {
        "facts": {"source": "own"},
        "rows": 3,
        "splits": {"train": 2, "val": 1},
        "shares": {"unchanged": 0.3333, "big_of_changed": 0.5},
    }


@pytest.mark.parametrize(
    ("values", "edges", "counts", "median", "longest"),
    [
        ([], [], [], 0, 0),
        ([0], [0, 1, 2], [1, 0], 0, 0),
        ([1, 2, 2], [0, 1, 2, 3], [0, 1, 2], 2, 2),
        # The 99th percentile is 1, so 500 falls into the last bin.
        ([1] * 10 + [500], [0, 1, 2], [0, 11], 1, 500),
    ],
)
def test_a_histogram_ends_at_the_99th_percentile(
    values: list[int], edges: list[int], counts: list[int], median: int, longest: int
) -> None:
    expected = {"edges": edges, "counts": counts, "median": median, "max": longest}
    assert histogram(values) == expected
