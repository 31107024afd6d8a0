import json
from pathlib import Path

import pytest

from worldtune.distill.ledger import Ledger, LedgerError
from worldtune.distill.replies import Reply

REPLY = Reply("an answer\nof two lines \u00e4 \U0001f600", "a thought", "stop", 7, 3)
KEY = ("row", 1, "f00")


def test_an_answer_is_there_for_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "run/answers.jsonl"
    with Ledger(path) as ledger:
        assert ledger.get(KEY) is None
        ledger.add(KEY, REPLY)
        assert ledger.get(KEY) == REPLY
        assert path.read_bytes().count(b"\n") == 1  # on the disk before it is used
    with Ledger(path) as ledger:
        assert ledger.get(KEY) == REPLY
        assert ledger.get(("row", 1, "other")) is None
        assert ledger.get(("row", 2, "f00")) is None


@pytest.mark.parametrize("torn", [b'{"row_id": "x', b"\xff\xfe", b"}"])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "answers.jsonl"
    with Ledger(path) as ledger:
        ledger.add(KEY, REPLY)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    with Ledger(path) as ledger:
        assert path.read_bytes() == whole
        ledger.add(("next", 0, "f00"), REPLY)
    with Ledger(path) as ledger:
        assert ledger.get(KEY) == ledger.get(("next", 0, "f00")) == REPLY


def test_lines_of_others_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    foreign = b'not json\n[1]\n{"row_id": "a"}\n' + json.dumps({"key": 1}).encode() + b"\n"
    path.write_bytes(foreign)
    with Ledger(path) as ledger:
        ledger.add(KEY, REPLY)
    assert path.read_bytes().startswith(foreign)
    with Ledger(path) as ledger:
        assert ledger.get(KEY) == REPLY


def test_two_runs_do_not_ask_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with Ledger(path):
        with pytest.raises(LedgerError, match="another run is asking"):
            Ledger(path)
    with Ledger(path):
        pass
