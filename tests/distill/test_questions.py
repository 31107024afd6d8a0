import pytest

from tests.distill.lessons import DOMAIN, settings, train_table
from worldtune.contracts import Row
from worldtune.distill.questions import build_questions, choose_rows

URL = "http://127.0.0.1:9/v1"
ROWS: list[Row] = train_table(600).to_dict("records")


def ids(rows: list[Row]) -> list[str]:
    return [row["row_id"] for row in rows]


def test_the_order_is_seeded_and_longer_lists_begin_with_shorter_ones() -> None:
    few, many = (choose_rows(ROWS, DOMAIN, settings(URL, max_rows=n)) for n in (10, 50))
    assert ids(few) == ids(many)[:10] != ids(ROWS)[:10]
    assert ids(choose_rows(ROWS[::-1], DOMAIN, settings(URL, max_rows=10))) == ids(few)
    other = choose_rows(ROWS, DOMAIN, settings(URL, max_rows=10, selection_seed=1))
    assert ids(other) != ids(few)
    assert len(choose_rows(ROWS, DOMAIN, settings(URL, max_rows=None))) == 600


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 35, 65), (1.0, 100, 100)])
def test_a_share_of_the_unchanged_rows_is_asked(share: float, low: int, high: int) -> None:
    config = settings(URL, max_rows=None, unchanged_keep_fraction=share)
    chosen = choose_rows(ROWS, DOMAIN, config)
    unchanged = [row for row in chosen if not row["changed"]]
    assert low <= len(unchanged) <= high  # of 100: every sixth row
    assert len(chosen) - len(unchanged) == 500


def test_the_fingerprint_covers_what_is_sent_and_not_the_address() -> None:
    def fingerprint(row: Row = ROWS[0], url: str = URL, **stated: object) -> str:
        return build_questions(row, DOMAIN, settings(url, **stated))[0].fingerprint

    same = fingerprint()
    assert fingerprint(url="https://elsewhere.test/v1") == same
    assert fingerprint(threshold=0.5, keep="all", timeout_s=5.0) == same
    changes = [{"model": "b"}, {"temperature": 0.5}, {"max_tokens": 7}, {"system": "Think."}]
    others = [fingerprint(**change) for change in changes]
    others += [fingerprint(ROWS[1]), fingerprint(extra_body={"top_p": 0.9})]
    assert len({same, *others}) == 7


def test_what_is_null_is_not_sent_and_the_system_message_comes_first() -> None:
    config = settings(URL, temperature=None, max_tokens=None, system="Think.", samples=2)
    questions = build_questions(ROWS[0], DOMAIN, config)
    assert [question.sample for question in questions] == [0, 1]
    assert set(questions[0].body) == {"model", "messages", "extra_body"}
    prompt = DOMAIN.prompt(ROWS[0])[0].content
    assert questions[0].body["messages"] == [
        {"role": "system", "content": "Think."},
        {"role": "user", "content": prompt},
    ]
