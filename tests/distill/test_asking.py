"""Failures are repeated, paced and counted; a teacher that goes on failing ends the run."""

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.distill.fake_teacher import Asked, FakeTeacher, Said, fake_teacher, refusal
from tests.distill.lessons import DOMAIN, know_all, learn, settings, train_table
from worldtune.config import DistillConfig
from worldtune.distill.asking import Interview
from worldtune.distill.ledger import Ledger
from worldtune.distill.questions import build_questions
from worldtune.distill.teacher import Teacher, TeacherError


def interview(folder: Path, config: DistillConfig, *, rows: int = 4) -> Interview:
    """Ask every row once; nothing is enough."""
    jobs = [build_questions(row, DOMAIN, config) for row in train_table(rows).to_dict("records")]
    with Ledger(folder / "answers.jsonl") as ledger:
        asking = Interview(
            Teacher(config, domain="web"),
            ledger,
            config,
            is_enough=lambda question, reply: False,
            on_progress=lambda settled: None,
        )
        asyncio.run(asking.ask_all(jobs))
    return asking


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (refusal(429), "rate_limit"),
        (refusal(500), "server"),
        (refusal(503), "server"),
        (Said(status=502, raw="<html>bad gateway</html>"), "server"),
        (refusal(408), "timeout"),
        (Said(lag_s=2.0), "timeout"),
        (Said(raw='{"choices": [{"mess'), "malformed"),
        (Said(raw="<html>welcome</html>"), "malformed"),
        (Said(raw='{"choices": []}'), "malformed"),
        (Said(raw='{"error": {"message": "overloaded"}}'), "malformed"),
        (Said(raw="[" * 100_000), "malformed"),
    ],
)
def test_a_failure_is_repeated_and_counted(tmp_path: Path, failure: Said, kind: str) -> None:
    answer = know_all(4)

    def respond(asked: Asked) -> Said:
        return failure if asked.times_before == 0 else answer(asked)

    with fake_teacher(respond) as teacher:
        effort = interview(tmp_path, settings(teacher.url, timeout_s=1.0)).effort
        assert len(teacher.asked) == 8
    assert (effort.answered, effort.retries, effort.given_up) == (4, {kind: 4}, {})


def test_a_broken_connection_is_repeated_once_there_was_one(tmp_path: Path) -> None:
    answer = know_all(4)

    def respond(asked: Asked) -> Said:
        if asked.times_before == 0:
            raise ConnectionError  # the handler dies and with it the connection
        return answer(asked)

    with fake_teacher(respond) as teacher:
        effort = interview(tmp_path, settings(teacher.url)).effort
    assert (effort.answered, effort.retries) == (4, {"connection": 4})


def test_retry_after_holds_all_requests(tmp_path: Path) -> None:
    answer, pause_s = know_all(4), 0.6

    def respond(asked: Asked) -> Said:
        if asked is teacher.asked[0]:
            return refusal(429, Retry_After=str(pause_s))
        return replace(answer(asked), lag_s=0.2 if asked is teacher.asked[1] else 0.0)

    with fake_teacher(respond) as teacher:
        effort = interview(tmp_path, settings(teacher.url, concurrency=2)).effort
        since_s = [time_s - teacher.times_s[0] for time_s in teacher.times_s]
    assert effort.retries == {"rate_limit": 1}
    assert len(since_s) == 5
    assert all(late_s >= pause_s for late_s in since_s[2:])  # the second was under way already


def test_a_very_long_pause_ends_the_run(tmp_path: Path) -> None:
    with fake_teacher(lambda asked: refusal(429, Retry_After="86400")) as teacher:
        with pytest.raises(
            TeacherError, match=r"a pause of 86400 s\. Start the same command again"
        ):
            interview(tmp_path, settings(teacher.url))


def test_a_request_that_fails_for_good_is_left_to_the_next_run(tmp_path: Path) -> None:
    answer, unlucky = know_all(4), DOMAIN.prompt(train_table(4).iloc[2])[0].content
    is_well = False

    def respond(asked: Asked) -> Said:
        return refusal(500) if asked.prompt == unlucky and not is_well else answer(asked)

    with fake_teacher(respond) as teacher:
        config = settings(teacher.url, max_retries=2)
        first = learn(tmp_path, config, rows=4).report
        is_well = True
        second = learn(tmp_path, config, rows=4).report
    assert first["this_run"]["retries"] == {"server": 2}
    assert first["this_run"]["given_up"] == {"server": 1}
    assert (first["answers"]["all"], second["answers"]["all"]) == (3, 4)
    assert second["this_run"]["answered"] == 1


def test_a_teacher_that_always_fails_stops_the_run(tmp_path: Path) -> None:
    with fake_teacher(lambda asked: refusal(500)) as teacher:
        config = settings(teacher.url, max_retries=1, samples=5)
        with pytest.raises(TeacherError, match=r"failed 10 requests in a row.*\(server 10\)"):
            interview(tmp_path, config)
        assert len(teacher.asked) <= 40


def test_no_more_requests_are_under_way_than_allowed(tmp_path: Path) -> None:
    def most_in_flight(concurrency: int) -> int:
        answer, meeting = know_all(12), threading.Barrier(concurrency)

        def respond(asked: Asked) -> Said:
            meeting.wait(20)  # nobody is answered before so many have asked
            return answer(asked)

        with fake_teacher(respond) as teacher:
            config = settings(teacher.url, concurrency=concurrency)
            interview(tmp_path / str(concurrency), config, rows=12)
            return teacher.most_in_flight

    assert most_in_flight(1) == 1
    assert most_in_flight(4) == 4


def test_the_rate_limit_counts_repetitions_too(tmp_path: Path) -> None:
    answer = know_all(4)

    def respond(asked: Asked) -> Said:
        return refusal(500) if asked.times_before == 0 else answer(asked)

    with fake_teacher(respond) as teacher:
        start_s = time.monotonic()
        interview(tmp_path, settings(teacher.url, requests_per_minute=600))
        assert time.monotonic() - start_s >= 7 * 0.1
        assert len(teacher.asked) == 8


def refused(folder: Path, teacher: FakeTeacher, **stated: Any) -> str:
    with pytest.raises(TeacherError) as caught:
        interview(folder, settings(teacher.url, **stated))
    return str(caught.value)


@pytest.mark.parametrize(
    ("refused_with", "words"),
    [
        (refusal(400, "max_tokens is too large"), ["max_tokens is too large", "web.distill.max_"]),
        (refusal(402, "Insufficient Balance"), ["no credit left"]),
        (refusal(403), ["may not use 'oracle-7b'", "web.distill.model", "TEACHER_KEY"]),
        (refusal(404, "model not found"), ["web.distill.model ('oracle-7b')", "base_url"]),
        (refusal(422, "unknown field"), ["unknown field", "web.distill.max_tokens"]),
        (refusal(429, "quota", "insufficient_quota"), ["quota", "no credit left"]),
    ],
)
def test_a_refusal_stops_the_run_at_once_and_names_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused_with: Said, words: list[str]
) -> None:
    monkeypatch.setenv("TEACHER_KEY", "sk-secret")
    with fake_teacher(lambda asked: refused_with) as teacher:
        message = refused(tmp_path, teacher, concurrency=1, api_key_env="TEACHER_KEY")
        assert len(teacher.asked) == 1
    assert f"with status {refused_with.status}" in message
    assert all(word in message for word in words), message


def test_a_wrong_key_is_explained_without_what_the_server_says_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond(asked: Asked) -> Said:
        if asked.headers.get("authorization") == "Bearer sk-right":
            return know_all(4)(asked)
        return refusal(401, "Incorrect API key provided: sk-wr*ng")

    with fake_teacher(respond) as teacher:
        monkeypatch.setenv("TEACHER_KEY", "sk-wrong")
        message = refused(tmp_path, teacher, api_key_env="TEACHER_KEY")
        assert "environment variable TEACHER_KEY (web.distill.api_key_env)" in message
        assert "sk-wr" not in message
        assert "web.distill.api_key_env, which names no variable" in refused(tmp_path, teacher)
        monkeypatch.setenv("TEACHER_KEY", "sk-right\n")
        config = settings(teacher.url, api_key_env="TEACHER_KEY")
        assert interview(tmp_path, config).effort.answered == 4


def test_nobody_at_the_address_is_said_at_once(tmp_path: Path) -> None:
    with fake_teacher(know_all(1)) as gone:
        pass
    message = refused(tmp_path, gone)
    host = gone.url.removeprefix("http://").removesuffix("/v1")
    assert f"no teacher answers at {host} (" in message
    assert "change web.distill.base_url" in message


def test_a_path_that_serves_no_chat_is_explained(tmp_path: Path) -> None:
    with fake_teacher(know_all(1)) as teacher:
        config = settings(f"{teacher.url}/chat/completions")
        with pytest.raises(TeacherError, match="which ends before /chat/completions"):
            interview(tmp_path, config)
