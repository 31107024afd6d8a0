"""What a run leaves behind: whole lines only, whatever the run died of."""

import json
import logging

from worldtune.engine.runtime.tracking import MetricsLog, Progress, read_jsonl, write_json


def write_steps(path, steps):
    path.write_text("".join(json.dumps({"step": s, "loss": s / 4}) + "\n" for s in steps))


def test_lines_from_the_resumed_step_on_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write_steps(path, range(6))
    log = MetricsLog(path, first_step=4)
    log.write({"step": 4, "loss": 9.0})
    log.close()
    assert [line["step"] for line in read_jsonl(path)] == [0, 1, 2, 3, 4]
    assert read_jsonl(path)[-1]["loss"] == 9.0


def test_a_cut_off_last_line_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write_steps(path, range(3))
    with path.open("a") as file:
        file.write('{"step": 3, "lo')
    assert [line["step"] for line in read_jsonl(path)] == [0, 1, 2]
    log = MetricsLog(path, first_step=3)
    log.write({"step": 3})
    log.close()
    assert [line["step"] for line in read_jsonl(path)] == [0, 1, 2, 3]


def test_lines_are_on_disk_before_the_log_is_closed(tmp_path):
    log = MetricsLog(tmp_path / "new" / "metrics.jsonl", first_step=0)
    log.write({"step": 0})
    assert read_jsonl(tmp_path / "new" / "metrics.jsonl") == [{"step": 0}]
    log.close()


def test_a_missing_log_is_empty(tmp_path):
    assert read_jsonl(tmp_path / "none.jsonl") == []


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
