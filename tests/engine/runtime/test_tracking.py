"""What a run leaves behind: whole lines only, whatever the run died of."""

import errno
import hashlib
import json
import logging
import math
import os
import pty
import subprocess
import sys
import termios

import pytest

from worldtune.engine.runtime.tracking import (
    Progress,
    StepLog,
    read_curve,
    read_jsonl,
    write_json,
)


def write_steps(path, steps):
    path.write_text("".join(json.dumps({"step": s, "loss": s / 4}) + "\n" for s in steps))


def steps_of(path):
    return [line["step"] for line in read_jsonl(path)]


def test_lines_from_the_resumed_step_on_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write_steps(path, range(6))
    log = StepLog(path, first_step=4)
    assert steps_of(path) == [0, 1, 2, 3]
    log.write(4, {"loss": 9.0})
    log.close()
    assert steps_of(path) == [0, 1, 2, 3, 4]
    assert read_jsonl(path)[-1]["loss"] == 9.0


@pytest.mark.parametrize(
    "tail", [b'{"step": 3, "lo', b'{"step": 3}', b"\x00" * 40, b"\x00" * 40 + b"\n", b"\xff\n"]
)
def test_what_a_crash_left_at_the_end_is_dropped(tmp_path, tail):
    path = tmp_path / "metrics.jsonl"
    write_steps(path, range(3))
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert steps_of(path) == [0, 1, 2]
    StepLog(path, first_step=3).close()
    assert path.read_bytes() == whole


def test_lines_that_are_kept_are_kept_to_the_byte(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = b'{"step":0,  "loss": 1e-5}\n{"loss": 0.30000000000000004, "step": 1}\n'
    path.write_bytes(lines + b'{"step": 2}\n')
    log = StepLog(path, first_step=2)
    log.write(2, {"loss": 0.1})
    assert path.read_bytes() == lines + b'{"step": 2, "loss": 0.1}\n'
    assert log.sync() == log.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_line_is_a_function_of_the_values_alone(tmp_path):
    values = {"b": 0.1 + 0.2, "a": 3, "z": 1e-9, "n": math.nan, "i": -math.inf}
    for name, order in (("x", values), ("y", dict(reversed(values.items())))):
        log = StepLog(tmp_path / name, first_step=0)
        log.write(7, order)
        log.close()
    line = (tmp_path / "x").read_text()
    assert line == (
        '{"step": 7, "a": 3, "b": 0.30000000000000004, "i": null, "n": null, "z": 1e-09}\n'
    )
    assert line == (tmp_path / "y").read_text()


def test_lines_are_in_the_file_before_the_log_is_closed(tmp_path):
    log = StepLog(tmp_path / "new" / "metrics.jsonl", first_step=0)
    log.write(0, {})
    assert read_jsonl(tmp_path / "new" / "metrics.jsonl") == [{"step": 0}]
    log.close()


def test_a_missing_log_is_empty(tmp_path):
    assert read_jsonl(tmp_path / "none.jsonl") == []
    assert read_curve(tmp_path) == []


def test_a_curve_has_metrics_and_the_last_times_that_were_written_of_each_step(tmp_path):
    write_steps(tmp_path / "metrics.jsonl", range(3))
    (tmp_path / "timings.jsonl").write_text(
        '{"step": 0, "step_s": 1.0}\n{"step": 1, "step_s": 2.0}\n{"step": 1, "step_s": 3.0}\n'
    )
    assert read_curve(tmp_path) == [
        {"step": 0, "loss": 0.0, "timing": {"step_s": 1.0}},
        {"step": 1, "loss": 0.25, "timing": {"step_s": 3.0}},
        {"step": 2, "loss": 0.5, "timing": {}},
    ]


def test_json_is_replaced_as_a_whole_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "deep" / "result.json"
    write_json(path, {"b": 1})
    write_json(path, {"a": [1, 2]})
    assert json.loads(path.read_text()) == {"a": [1, 2]}
    assert [p.name for p in path.parent.iterdir()] == ["result.json"]


def test_progress_off_a_terminal_logs_the_last_step(caplog):
    with caplog.at_level(logging.INFO):
        progress = Progress("sft", total=3, done=1)
        progress.advance({"loss": 1.23456})
        progress.advance({"loss": 0.5})
        progress.close()
    assert [r.getMessage() for r in caplog.records] == ["sft 3/3  loss 0.5"]


SHOW = """
import logging, sys
from worldtune.engine.runtime.tracking import Progress
logging.basicConfig(level=sys.argv[1], format="%(message)s")
progress = Progress("sft", total=2)
progress.advance({"loss": 1.5})
progress.advance({"loss": 0.5})
progress.close()
"""


def on_a_terminal(level):
    """What a terminal of its own shows of a short run."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen([sys.executable, "-c", SHOW, level], stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError as error:  # how Linux says that the other end is closed
        assert error.errno == errno.EIO
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def test_a_terminal_shows_a_bar_unless_only_warnings_are_asked_for():
    shown = on_a_terminal("INFO")
    assert "2/2" in shown and "loss=0.5" in shown and "\r" in shown
    assert on_a_terminal("WARNING") == ""


def test_off_a_terminal_only_warnings_means_silence():
    for level, expected in (("INFO", "sft 2/2  loss 0.5\n"), ("WARNING", "")):
        done = subprocess.run(
            [sys.executable, "-c", SHOW, level], capture_output=True, text=True, check=True
        )
        assert (done.stderr, done.stdout) == (expected, "")


def test_a_long_run_says_how_long_it_will_take(monkeypatch, caplog):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = Progress("sft", total=100, done=40)
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            now += 6.0
            progress.advance({})
    assert caplog.records[-1].getMessage() == "sft 58/100    4 min left"
