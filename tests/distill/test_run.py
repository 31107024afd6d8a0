"""A distillation from the training rows to the tables, against a server on this machine."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.distill.fake_teacher import Asked, FakeTeacher, Said, fake_teacher, refusal
from tests.distill.lessons import (
    DOMAIN,
    REASONING,
    TASK,
    WRONG,
    know_all,
    learn,
    right_answers,
    settings,
    train_table,
)
from tests.processes import PROJECT
from worldtune.config import WebTaskConfig
from worldtune.distill.judging import NoReasoningError
from worldtune.distill.run import distill
from worldtune.distill.teacher import TeacherError

SECRET = "sk-very-secret-0123456789"
PATIENCE_S = 60


def test_good_answers_become_demonstrations_and_training_rows(tmp_path: Path) -> None:
    train = train_table(6)
    with fake_teacher(know_all(6)) as teacher:
        distilled = learn(tmp_path, settings(teacher.url, max_rows=4, samples=2))
    table = distilled.demonstrations
    assert len(table) == 4
    assert set(table["row_id"]) < set(train["row_id"])
    first = table.iloc[0].to_dict()
    row = train.set_index("row_id").loc[first["row_id"]]
    answer = DOMAIN.completion({**row, "reasoning": ""})
    assert json.loads(first["prompt"])[0]["content"] == DOMAIN.prompt(row)[0].content
    assert (first["reasoning"], first["answer"]) == (REASONING, answer)
    assert first["completion"] == f"{REASONING}\n\n{answer}"
    assert (first["reward"], first["teacher"], first["split"]) == (1.0, "oracle-7b", "train")
    assert (first["prompt_tokens"], first["completion_tokens"]) == (100, 10)
    for taught in distilled.training.to_dict("records"):
        assert (
            DOMAIN.completion(taught)
            == f"{REASONING}\n\n{DOMAIN.completion(taught | {'reasoning': ''})}"
        )


def test_the_training_table_has_the_columns_and_types_of_the_split(tmp_path: Path) -> None:
    train = train_table(6)
    with fake_teacher(know_all(6)) as teacher:
        config = settings(teacher.url, samples=2, keep="all")
        plain = learn(tmp_path, config).training
        again = distill(
            train.assign(reasoning="of the source"),
            tmp_path,
            domain="web",
            task=TASK,
            config=config,
        ).training
    assert list(plain) == [*train, "reasoning"]
    assert len(plain) == 12 and plain["row_id"].is_unique
    assert set(plain["row_id"]) == {f"{name}#{i}" for name in train["row_id"] for i in (0, 1)}
    assert dict(plain.dtypes[list(train)]) == dict(train.dtypes)
    assert set(again["reasoning"]) == {REASONING}


def test_the_report_counts_what_was_asked_got_and_paid(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    right = right_answers(6)
    kinds = [Said(WRONG), Said("no sections"), Said(finish_reason="length"), Said(None)]

    def respond(asked: Asked) -> Said:
        number = list(right).index(asked.prompt)
        return kinds[number] if number < 4 else Said(right[asked.prompt])

    caplog.set_level(logging.INFO)
    with fake_teacher(respond) as teacher:
        config = settings(teacher.url, input_price=2.0, output_price=30.0)
        report = learn(tmp_path, config).report
        assert report["host"] == teacher.url.removeprefix("http://").removesuffix("/v1")
    assert report["rows"] == {"train": 6, "asked": 6, "with_demonstration": 2}
    assert report["answers"] == {
        "all": 6,
        "accepted": 2,
        "below_threshold": 1,
        "unreadable": 1,
        "spoilt_by_reasoning": 0,
        "truncated": 1,
        "filtered": 0,
        "empty": 1,
    }
    assert report["acceptance_rate"] == report["row_acceptance_rate"] == pytest.approx(1 / 3)
    assert report["tokens"] == {"prompt": 600, "completion": 60}
    assert report["cost"] == pytest.approx((600 * 2 + 60 * 30) / 1e6)
    assert report["without_reasoning"] == 2
    assert report["this_run"] == {"answered": 6, "reused": 0, "retries": {}, "given_up": {}}
    assert "2 of 6 answers accepted (33.3%), 2 demonstrations for 2 of 6 rows" in caplog.text


def test_a_finished_run_asks_nothing_and_needs_no_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER_KEY", SECRET)
    with fake_teacher(know_all(6)) as teacher:
        config = settings(teacher.url, samples=2, api_key_env="TEACHER_KEY")
        first = learn(tmp_path, config)
        assert len(teacher.asked) == 12
    monkeypatch.delenv("TEACHER_KEY")
    second = learn(tmp_path, config)
    assert second.demonstrations.equals(first.demonstrations)
    assert second.report["this_run"]["reused"] == 12


def test_another_threshold_judges_the_same_answers(tmp_path: Path) -> None:
    with fake_teacher(lambda asked: Said(WRONG)) as teacher:
        strict = learn(tmp_path, settings(teacher.url, threshold=0.5))
        lenient = learn(tmp_path, settings(teacher.url, threshold=0.0))
        assert len(teacher.asked) == 6
    assert len(strict.demonstrations) == len(strict.training) == 0
    assert len(lenient.demonstrations) == 6


def test_more_samples_ask_only_what_is_new(tmp_path: Path) -> None:
    with fake_teacher(know_all(6)) as teacher:
        learn(tmp_path, settings(teacher.url, samples=1, max_rows=3))
        learn(tmp_path, settings(teacher.url, samples=3, max_rows=4))
        assert len(teacher.asked) == 3 + (4 * 3 - 3)
        learn(tmp_path, settings(teacher.url, samples=1, max_rows=3, model="another"))
        assert len(teacher.asked) == 12 + 3


def test_keeping_the_first_stops_asking_about_a_row(tmp_path: Path) -> None:
    right = right_answers(3)

    def respond(asked: Asked) -> Said:
        return Said(right[asked.prompt] if asked.times_before == 1 else WRONG)

    with fake_teacher(respond) as teacher:
        config = settings(teacher.url, samples=4, keep="first")
        distilled = learn(tmp_path, config, rows=3)
        assert len(teacher.asked) == 6
        learn(tmp_path, config, rows=3)
        assert len(teacher.asked) == 6
    assert list(distilled.demonstrations["sample"]) == [1, 1, 1]


def test_nothing_accepted_leaves_empty_tables_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with fake_teacher(lambda asked: Said(WRONG)) as teacher:
        distilled = learn(tmp_path, settings(teacher.url))
    assert "no answer reached web.distill.threshold" in caplog.text
    assert distilled.demonstrations["reward"].dtype == "float64"
    assert list(distilled.training) == [*train_table(1), "reasoning"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    config = settings("http://127.0.0.1:9/v1")
    with pytest.raises(TeacherError, match=r"web\.distill\.model is empty"):
        learn(tmp_path, config.model_copy(update={"model": ""}))
    with pytest.raises(TeacherError, match="none of the 0 training rows of web"):
        learn(tmp_path, config, rows=0)
    with pytest.raises(NoReasoningError, match=r"web\.task"):
        distill(train_table(2), tmp_path, domain="web", task=WebTaskConfig(), config=config)


def test_the_key_reaches_the_server_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEACHER_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    with fake_teacher(know_all(6)) as teacher:
        config = settings(teacher.url, api_key_env="TEACHER_KEY")
        report = learn(tmp_path, config).report
        assert {asked.headers["authorization"] for asked in teacher.asked} == {f"Bearer {SECRET}"}
    with fake_teacher(lambda asked: refusal(400, f"bad request by {SECRET}")) as teacher:
        config = settings(teacher.url, api_key_env="TEACHER_KEY", model="another")
        with pytest.raises(TeacherError) as caught:
            learn(tmp_path, config)
    assert "bad request by ***" in str(caught.value)
    assert SECRET not in str(caught.value) + caplog.text + json.dumps(report)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any(SECRET.encode() in path.read_bytes() for path in files)


def start(folder: Path, teacher: FakeTeacher, rows: int) -> subprocess.Popen[bytes]:
    """The same distillation in a process of its own."""
    program = (
        "import sys; from pathlib import Path; from tests.distill.lessons import learn, settings\n"
        "url, folder, rows = sys.argv[1:]\n"
        "learn(Path(folder), settings(url, concurrency=3), rows=int(rows))"
    )
    command = [sys.executable, "-c", program, teacher.url, str(folder), str(rows)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(command, cwd=PROJECT, env=environment, start_new_session=True)


def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    rows, before_kill = 12, 5
    answer, is_dead = know_all(rows), threading.Event()
    lock, admitted = threading.Lock(), Counter[str]()

    def respond(asked: Asked) -> Said:
        with lock:
            admitted["all"] += 1
            is_late = admitted["all"] > before_kill
        if is_late and not is_dead.is_set():
            is_dead.wait(PATIENCE_S)
            return refusal(500)  # to nobody: the process that asked is dead
        return answer(asked)

    with fake_teacher(respond) as teacher:
        process = start(tmp_path, teacher, rows)
        ledger = tmp_path / "answers.jsonl"
        deadline = time.monotonic() + PATIENCE_S
        # Five answers are on the disk, and three requests hang at the server.
        while not (ledger.exists() and ledger.read_bytes().count(b"\n") == before_kill):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        is_dead.set()
        with ledger.open("ab") as torn:
            torn.write(b'{"row_id": "0000')
        report = learn(tmp_path, settings(teacher.url, concurrency=3), rows=rows).report
        assert report["this_run"]["reused"] == before_kill
        assert Counter(asked.prompt for asked in teacher.answered).most_common(1)[0][1] == 1
        assert len(teacher.answered) == rows
    assert report["answers"]["accepted"] == rows
