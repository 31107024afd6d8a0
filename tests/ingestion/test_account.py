import json

import pytest

from worldtune.ingestion.account import (
    TooManyBadRowsError,
    check_account,
    check_budget,
    count_reasons,
    excerpt,
    quarantine_table,
)
from worldtune.ingestion.rows import SourceError, Unreadable

REASONS = {"cold": "too cold", "warm": "too warm"}
BAD = [Unreadable("warm", f"{i} degrees", f"a.jsonl:{i}", "text") for i in (90, 91, 92, 93)]
BAD += [Unreadable("cold", "-5 degrees", "b.jsonl:1")]


def check(num_rows: int, fraction: float) -> None:
    check_budget(BAD, num_rows, max_bad_fraction=fraction, reasons=REASONS, prefix="toy.ingest")


def test_past_the_budget_counts_examples_and_the_key_are_named() -> None:
    with pytest.raises(TooManyBadRowsError) as caught:
        check(20, 0.2)
    assert str(caught.value) == (
        "5 of 20 rows are bad (25.0%); toy.ingest.max_bad_fraction allows 20.0%.\n"
        "  reasons:\n"
        "         4  warm: too warm\n"
        "         1  cold: too cold\n"
        "  first examples:\n"
        "    a.jsonl:90  warm: 90 degrees\n"
        "    a.jsonl:91  warm: 91 degrees\n"
        "    a.jsonl:92  warm: 92 degrees\n"
        "  Correct the source, or raise toy.ingest.max_bad_fraction to leave these rows out."
    )
    check(20, 0.25)


def test_a_source_without_rows_is_refused() -> None:
    with pytest.raises(SourceError, match=r"^toy\.ingest\.source\.path: the source holds no rows"):
        check(0, 1.0)


def test_a_lost_row_is_a_bug() -> None:
    counts = {"rows_in": 9, "rows_out": 5, "quarantined": 2, "surplus_unchanged": 1}
    check_account({**counts, "duplicates": 1})
    with pytest.raises(AssertionError, match="rows are unaccounted for: rows_in 9"):
        check_account({**counts, "duplicates": 0})


def test_reasons_are_counted_in_the_order_of_the_checks_with_three_examples() -> None:
    found = count_reasons(BAD, REASONS)
    assert list(found) == ["cold", "warm"]
    assert found["warm"]["count"] == 4
    assert found["warm"]["meaning"] == "too warm"
    assert [example["origin"] for example in found["warm"]["examples"]] == [
        "a.jsonl:90",
        "a.jsonl:91",
        "a.jsonl:92",
    ]
    with pytest.raises(AssertionError, match=r"undeclared reasons \['warm'\]"):
        count_reasons(BAD, {"cold": "too cold"})


def test_quarantine_has_four_columns_also_without_rows() -> None:
    assert list(quarantine_table([]).columns) == ["origin", "reason", "message", "excerpt"]
    assert list(quarantine_table(BAD)["reason"]) == ["warm"] * 4 + ["cold"]


def test_an_excerpt_is_short_ascii_whatever_the_row_holds() -> None:
    values = {"text": "\ud800" + "x" * 5000, "gone": None, "odd": object(), "none": float("nan")}
    text = excerpt(values)
    assert len(text) == 1000
    assert text.isascii()
    assert "gone" not in text
    assert json.loads(excerpt({"a": [1, None]})) == {"a": [1, None]}
