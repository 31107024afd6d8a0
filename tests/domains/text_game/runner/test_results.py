import io
import json

from worldtune.domains.text_game.runner.failures import Faults, GameFailure
from worldtune.domains.text_game.runner.results import read_results

ROW = {
    "seed": 1,
    "step": 0,
    "rollout": "gold",
    "task_desc": "",
    "objects": [],
    "action_objects": None,
    "next_objects": [],
    "score": {},
    "next_score": {},
    "uuid_base": 4,
    "action": "wait",
}
END = b'{"end":true}\n'


def line(**message) -> bytes:
    return json.dumps(message).encode() + b"\n"


def read(content: bytes) -> tuple[int, bool, list[GameFailure]]:
    """The number of rows, whether the results are whole, the failures."""
    faults, rows = Faults(), 0
    reading = read_results("game", io.BytesIO(content), faults)
    try:
        while next(reading):
            rows += 1
    except StopIteration as end:
        return rows, end.value, list(faults.failures("game"))
    raise AssertionError("an empty row")


def test_rows_and_faults_are_read_up_to_the_last_line():
    fault = {"kind": "crash", "text": "KeyError", "place": "step 3"}
    assert read(line(row=ROW) + line(fault=fault) + line(row=ROW) + END) == (
        2,
        True,
        [GameFailure("game", "crash", "KeyError (step 3)")],
    )


def test_equal_faults_are_counted():
    faults = [{"kind": "crash", "text": "KeyError", "place": f"step {n}"} for n in range(3)]
    *_, failures = read(b"".join(line(fault=fault) for fault in faults) + END)
    assert [failure.message for failure in failures] == ["KeyError (3 times, first in step 0)"]


def test_many_different_faults_are_cut_short():
    faults = Faults()
    for number in range(50):
        faults.add("crash", f"KeyError: {number}", f"step {number}")
    faults.add("time", "too long")
    failures = list(faults.failures("game"))
    assert [failure.message for failure in failures][19:] == [
        "KeyError: 19 (step 19)",
        "more than 20 different faults; the rest is not listed (30 times, first in step 20)",
        "too long",
    ]


def test_a_line_cut_off_in_the_middle_is_left_out():
    assert read(line(row=ROW) + line(row=ROW)[:-5]) == (1, False, [])
    assert read(b"") == (0, False, [])


def test_anything_else_ends_the_reading():
    strange = [
        b"hello\n",
        b"[1]\n",
        b"[" * 100_000 + b"\n",
        line(row={**ROW, "seed": "1"}),
        line(row={**ROW, "more": 1}),
        line(row={**ROW, "score": {"score": float("nan")}}),
        line(row={**ROW, "seed": True}),
        line(fault={"kind": "joke", "text": "", "place": ""}),
    ]
    for content in strange:
        rows, is_whole, failures = read(line(row=ROW) + content + line(row=ROW) + END)
        assert (rows, is_whole) == (1, True), content[:40]
        assert [failure.kind for failure in failures] == ["protocol"]


def test_a_line_without_end_is_not_read_whole():
    rows, is_whole, _ = read(b"x" * 9_000_000)
    assert (rows, is_whole) == (0, False)
