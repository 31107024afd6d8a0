import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.distill.fake_teacher import Said
from worldtune.distill.replies import Reply, RequestFailed, read_reply, read_wait


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_found_under_either_name(name: str) -> None:
    text = Said("the answer", "the thought", name).text()
    assert read_reply(text) == Reply("the answer", "the thought", "stop", 100, 10)


def test_what_a_server_leaves_out_is_empty() -> None:
    text = json.dumps({"choices": [{"message": {"content": None}}], "usage": None})
    assert read_reply(f"\n\n{text}") == Reply("", "", "", 0, 0)  # blank lines keep a line alive


def test_half_a_surrogate_pair_is_replaced() -> None:
    text = Said("a \ud83d b \U0001f600").text()
    assert read_reply(text).content == "a ? b \U0001f600"


def test_what_is_absurd_is_bounded() -> None:
    choice = {"message": {"content": "a", "reasoning": {"steps": []}}, "finish_reason": 7}
    usage = {"prompt_tokens": -5, "completion_tokens": 10**30}
    text = json.dumps({"choices": [choice], "usage": usage})
    assert read_reply(text) == Reply("a", "", "", 0, 2**31 - 1)
    with pytest.raises(RequestFailed):
        read_reply(text.replace("-5", "1e999"))


@pytest.mark.parametrize("content", [3, ["text"], {"text": "a"}])
def test_content_that_is_no_text_is_malformed(content: object) -> None:
    with pytest.raises(RequestFailed, match="malformed"):
        read_reply(json.dumps({"choices": [{"message": {"content": content}}]}))


def test_a_wait_is_a_number_or_a_date() -> None:
    assert read_wait(None) is None
    assert (read_wait("2"), read_wait("0.5"), read_wait("-3")) == (2.0, 0.5, 0.0)
    assert read_wait("soon") is read_wait("nan") is None
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    wait_s = read_wait(date)
    assert wait_s is not None and 80 < wait_s <= 90
    assert read_wait("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
