import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd

from worldtune.quality.report import build_report
from worldtune.quality.suites import ExpectationResult

SHARES = {"unchanged": 0.2, "predictable_of_changed": 0.6}
FULL = {"rows": 90, "groups": 2, "shares": SHARES}
EMPTY = {"rows": 0, "groups": 0, "shares": dict.fromkeys(SHARES, 0.0)}
REPORT: dict[str, Any] = {
    "domain": "web",
    "source": {"kind": "jsonl", "path": "a<b>.jsonl", "files": 1, "sha256": "ab" * 32},
    "seed": 7,
    "max_bad_fraction": 0.05,
    "counts": {
        "rows_available": 100,
        "rows_in": 100,
        "rows_out": 90,
        "quarantined": 2,
        "surplus_unchanged": 5,
        "duplicates": 3,
    },
    "reasons": {"not_json": {"count": 2, "meaning": "not JSON", "examples": []}},
    "splits": {"train": FULL, "val": EMPTY, "test_iid": EMPTY, "test_unseen": EMPTY},
    "groups": {
        "name": "site",
        "plural": "sites",
        "members": {
            "cart": {
                "facts": {"page_set": "own"},
                "rows": 90,
                "splits": {"train": 90},
                "shares": SHARES,
            }
        },
    },
    "histograms": {
        "page length": {"edges": [0, 5, 10], "counts": [30, 60], "median": 6, "max": 12},
        "nothing": {"edges": [], "counts": [], "median": 0, "max": 0},
    },
    "wall_s": 0.25,
}
QUARANTINE = pd.DataFrame(
    [
        ["a.jsonl:3", "not_json", "cut <off>", "<script>alert(1)</script>"],
        ["a.jsonl:9", "not_json", "empty", ""],
    ],
    columns=["origin", "reason", "message", "excerpt"],
)
RESULTS = {
    "web.transitions": [
        ExpectationResult("values to be unique", "row_id", True, 0, (), ""),
        ExpectationResult("values to be between", "f1", False, 3, ("1.5",), "3 of 9 rows"),
    ]
}


class Balance(HTMLParser):
    """Fails on tags that are closed in another order than they were opened."""

    VOID = ("meta", "line", "circle", "rect", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.VOID or tag == "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag


def test_the_page_states_counts_reasons_and_expectations() -> None:
    html = build_report(REPORT, QUARANTINE, RESULTS)
    for words in (
        "90 of 100 rows are in use",
        "2.00% are quarantined; the limit is 5.00%",
        "a.jsonl:3",
        "web.transitions: 1 of 2 met",
        "3 of 9 rows",
        "0 to 4: 30 rows",
        "0.25 s",
    ):
        assert words in html, words


def test_the_page_speaks_of_the_groups_and_shares_of_the_domain() -> None:
    html = build_report(REPORT, QUARANTINE, RESULTS)
    for words in ("Sites", "Page set", "own", "Rows per site and split", "Predictable of changed"):
        assert words in html, words
    facts: dict[str, Any] = {}
    member = {"facts": facts, "rows": 7, "splits": {"val": 7}, "shares": {"gold": 0.25}}
    games = {"name": "game", "plural": "games", "members": {"kettle": member}}
    splits = {"val": {"rows": 7, "groups": 1, "shares": {"gold": 0.25}}}
    html = build_report({**REPORT, "groups": games, "splits": splits}, QUARANTINE, RESULTS)
    for words in ("Games", "kettle", "Rows per game and split", "Gold", "25.0%"):
        assert words in html, words
    assert "Predictable" not in html


def test_a_table_without_rows_has_no_groups() -> None:
    groups = {"name": "site", "plural": "sites", "members": {}}
    assert "Rows per site and split" in build_report({**REPORT, "groups": groups}, QUARANTINE, None)


def test_text_of_rows_is_escaped() -> None:
    html = build_report(REPORT, QUARANTINE, RESULTS)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a&lt;b&gt;.jsonl" in html


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    html = build_report(REPORT, QUARANTINE, RESULTS)
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    assert not re.search(r"""(src|href)=["'](?!#)|@import|url\(""", html)


def test_a_source_without_faults_and_without_validation_says_so() -> None:
    html = build_report({**REPORT, "reasons": {}}, QUARANTINE.head(0), None)
    assert "Nothing was quarantined." in html
    assert "switched off by KEDRO_DATASET_VALIDATION" in html
