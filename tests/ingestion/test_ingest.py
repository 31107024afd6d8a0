import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from worldtune.ingestion.ingest import Ingested, Recipe, SourceFacts, ingest_entries
from worldtune.ingestion.rows import (
    SHARED_REASONS,
    Entry,
    RawRow,
    RowFault,
    SourceError,
    Unreadable,
)
from worldtune.ingestion.summary import Groups, Share

FACTS = SourceFacts("letters", "a.jsonl", 1, "0" * 64)


@dataclass(frozen=True)
class Limits:
    limit: int | None = None
    max_bad_fraction: float = 1.0
    max_unchanged_fraction: float = 1.0
    val_fraction: float = 0.0
    test_fraction: float = 0.0


def complete(raw: Any, number: int) -> dict[str, Any]:
    """A word is good if it has letters only; capitals are changes."""
    if not raw["word"].isalpha():
        raise RowFault("digits", f"{raw['word']!r} has digits")
    return {
        "row_id": f"{number}",
        "word": raw["word"],
        "first": raw["word"][0].lower(),
        "number": number,
        "changed": raw["word"].isupper(),
        "split": raw.get("split"),
    }


RECIPE = Recipe(
    domain="toy",
    complete=complete,
    question=lambda row: row["word"],
    task=lambda row: row["first"],
    reasons={**SHARED_REASONS, "digits": "digits in a word"},
    shares=(Share("changed", lambda row: row["changed"]),),
    groups=Groups("first", "firsts"),
    lengths={"letters": lambda row: len(row["word"]) if row["changed"] else None},
    dtypes={"number": "int32"},
)


def entries(words: str) -> list[Entry]:
    """``word`` or ``split:word``; ``!`` is an unreadable line."""
    found: list[Entry] = []
    for number, text in enumerate(words.split(), 1):
        split, _, word = text.rpartition(":")
        row = RawRow({"word": word, "split": split or None}, f"a:{number}")
        found.append(Unreadable("not_json", "cut", f"a:{number}") if text == "!" else row)
    return found


def ingest(words: str, recipe: Recipe = RECIPE, seed: int = 0, **limits: Any) -> Ingested:
    found = entries(words)
    return ingest_entries(
        lambda: iter(found), FACTS, recipe=recipe, limits=Limits(**limits), seed=seed
    )


def test_every_row_is_in_one_place_and_the_report_counts_them() -> None:
    result = ingest("train:AB test:AB CD x9 ! ab cd ef test:qq", max_unchanged_fraction=0.5)
    assert result.report["counts"] == {
        "rows_available": 9,
        "rows_in": 9,
        "rows_out": 4,
        "quarantined": 2,
        "surplus_unchanged": 2,  # 3 unchanged in train beside 2 changed; qq alone in test
        "duplicates": 1,
    }
    assert sorted(Counter(result.transitions["split"]).items()) == [("train", 4)]
    assert list(result.quarantine["reason"]) == ["digits", "not_json"]
    assert list(result.quarantine["origin"]) == ["a:4", "a:5"]
    assert result.report["source"]["kind"] == "letters"
    assert result.report["histograms"]["letters"]["median"] == 2
    assert str(result.transitions["number"].dtype) == "int32"
    assert json.loads(json.dumps(result.report)) == result.report


def test_a_limit_counts_what_is_there_and_thins_every_split() -> None:
    result = ingest("train:A train:B train:C train:D val:E val:F", limit=2)
    assert list(result.transitions["word"]) == ["A", "C", "E", "F"]
    assert result.report["counts"]["rows_available"] == 6
    assert result.report["counts"]["rows_in"] == 4


def test_without_a_limit_the_source_is_read_once() -> None:
    starts = []

    def read() -> Iterator[Entry]:
        starts.append(1)
        return iter(entries("A B"))

    ingest_entries(read, FACTS, recipe=RECIPE, limits=Limits(), seed=0)
    assert len(starts) == 1


def test_a_source_that_leaves_no_training_row_is_refused() -> None:
    with pytest.raises(SourceError, match=r"^toy\.ingest\.source\.path: a\.jsonl leaves no train"):
        ingest("test:A test:B")
    with pytest.raises(SourceError, match=r"or raise toy\.ingest\.max_unchanged_fraction"):
        ingest("a b", max_unchanged_fraction=0.1)


def test_a_domain_may_accept_a_source_of_test_rows_but_not_one_that_loses_its_training() -> None:
    recipe = replace(RECIPE, is_training_optional=True)
    assert set(ingest("test:A test:B", recipe).transitions["split"]) == {"test_iid"}
    with pytest.raises(SourceError, match="leaves no training row"):
        ingest("a b test:C", recipe, max_unchanged_fraction=0.1)
    with pytest.raises(SourceError, match="leaves no training row"):
        ingest("x1 x2", recipe)


def test_whole_splits_keep_their_unchanged_rows() -> None:
    words = "A b c d test:e test:f"
    assert ingest(words, max_unchanged_fraction=0.5).report["counts"]["surplus_unchanged"] == 4
    recipe = replace(RECIPE, whole_splits=frozenset({"test_iid"}))
    counts = ingest(words, recipe, max_unchanged_fraction=0.5).report["counts"]
    assert counts["surplus_unchanged"] == 2


def test_an_unknown_split_is_quarantined() -> None:
    result = ingest("A holdout:B")
    assert list(result.quarantine["reason"]) == ["missing_field"]
