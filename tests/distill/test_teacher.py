"""Headers, fields and keys of single requests."""

import asyncio
import sys

import pytest

from tests.distill.fake_teacher import Said, fake_teacher
from tests.distill.lessons import settings
from worldtune.distill.replies import Reply
from worldtune.distill.teacher import Teacher, TeacherError

BODY = {"model": "oracle-7b", "messages": [{"role": "user", "content": "hello"}], "extra_body": {}}


def ask(teacher: Teacher) -> Reply:
    async def once() -> Reply:
        try:
            return await teacher.ask(BODY)
        finally:
            await teacher.close()

    return asyncio.run(once())


def test_nothing_of_the_environment_is_sent_uninvited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1/v1")
    with fake_teacher(lambda asked: Said("hello")) as server:
        assert ask(Teacher(settings(server.url), domain="web")).content == "hello"
        sent = server.asked[0].headers
    assert "authorization" not in sent
    assert not {"sk-of-somebody-else", "org-1", "project-1"} & set(sent.values())


def test_further_fields_are_sent_as_they_are() -> None:
    with fake_teacher(lambda asked: Said("hello")) as server:
        teacher = Teacher(settings(server.url), domain="web")

        async def once() -> None:
            await teacher.ask({**BODY, "extra_body": {"reasoning_effort": "low", "top_k": 5}})
            await teacher.close()

        asyncio.run(once())
        assert server.asked[0].body["reasoning_effort"] == "low"
        assert server.asked[0].body["top_k"] == 5


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "TEACHER_KEY, but this environment variable is not set"),
        ("  ", "is not set"),
        ("sk-a b", "characters that no key has"),
        ("sk-\u00e4", "characters that no key has"),
        ("sk-a\nsk-b", "characters that no key has"),
    ],
)
def test_an_unusable_key_is_explained(
    monkeypatch: pytest.MonkeyPatch, key: str, words: str
) -> None:
    monkeypatch.setenv("TEACHER_KEY", key)
    config = settings("http://127.0.0.1:9/v1", api_key_env="TEACHER_KEY")
    with pytest.raises(TeacherError, match=words) as caught:
        ask(Teacher(config, domain="web"))
    assert "sk-" not in str(caught.value)


def test_a_missing_client_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(TeacherError, match=r"pip install 'worldtune\[distill\]'"):
        ask(Teacher(settings("http://127.0.0.1:9/v1"), domain="web"))
