"""One request to the teacher, and which of its failures are worth a repetition.

The ``openai`` client speaks the protocol; its own retries are off, so that there is one place that
counts, paces and repeats (``asking``). The key comes from the environment, goes into the client's
header and nowhere else: messages of servers are shown without it, and not at all where a server
speaks about keys. Imports the client with the first request: a finished run needs neither.
"""

import asyncio
import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from worldtune.config import DistillConfig
from worldtune.distill.replies import Reply, RequestFailed, read_reply, read_wait
from worldtune.errors import UserError

if TYPE_CHECKING:
    import openai

_CONNECT_S = 10.0
"""Longest wait for a connection; a teacher may think longer than that, but not about this."""
_NO_CREDIT = "The account has no credit left; with more of it the same command goes on"
_SHOWN_CHARS = 200
"""What a server says in an error is cut to this length."""


class TeacherError(UserError):
    """The teacher cannot be asked; the message names the key to change and never the secret."""


class Teacher:
    """A model behind an endpoint."""

    def __init__(self, config: DistillConfig, *, domain: str) -> None:
        """Keep the settings; ``domain`` is for the keys that messages name."""
        self._config = config
        self._section = f"{domain}.distill"
        self._was_reached = False
        self.host = urlsplit(config.base_url).netloc

    async def ask(self, body: Mapping[str, Any]) -> Reply:
        """Send one request.

        Raises:
            RequestFailed: it may be repeated.
            TeacherError: it makes no sense to ask this teacher anything in this way.
        """
        create = self._client.chat.completions.with_raw_response.create
        import openai  # noqa: PLC0415 - after the client, which explains where it is missing

        try:
            async with asyncio.timeout(self._config.timeout_s):
                response = await create(**body, extra_headers=self._headers)
        except (TimeoutError, openai.APIConnectionError) as error:
            raise self._explain_connection(error) from None
        except openai.APIStatusError as error:
            self._was_reached = True
            raise self._explain_status(error) from None
        self._was_reached = True
        return read_reply(response.http_response.text)

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if "_client" in self.__dict__:
            await self._client.close()

    @cached_property
    def _key(self) -> str:
        """The key, "" where none is needed. Raises TeacherError where the variable lacks it."""
        variable = self._config.api_key_env
        if not variable:
            return ""
        key = os.environ.get(variable, "").strip()
        if not key:
            raise TeacherError(
                f"{self._section}.api_key_env is {variable}, but this environment variable is not "
                f"set. Set it to the key of {self.host}, or leave api_key_env empty for none"
            )
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise TeacherError(
                f"the environment variable {variable} ({self._section}.api_key_env) holds "
                "characters that no key has. Set it to the key alone"
            )
        return key

    @cached_property
    def _client(self) -> "openai.AsyncOpenAI":
        try:
            import openai  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise TeacherError(
                "Asking a teacher needs the extra 'distill': pip install 'worldtune[distill]'"
            ) from error
        return openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._config.base_url,
            timeout=openai.Timeout(
                self._config.timeout_s, connect=min(_CONNECT_S, self._config.timeout_s)
            ),
            max_retries=0,
        )

    @cached_property
    def _headers(self) -> dict[str, Any]:
        """Who asks, stated with each request.

        Of its own accord the client takes key, organisation and project from OPENAI_* variables
        and sends them to whatever endpoint this is.
        """
        import openai  # noqa: PLC0415 - after the client

        return {
            "Authorization": f"Bearer {self._key}" if self._key else openai.omit,
            "OpenAI-Organization": openai.omit,
            "OpenAI-Project": openai.omit,
        }

    def _explain_connection(self, error: "TimeoutError | openai.APIConnectionError") -> Exception:
        """No answer: a wrong address as long as nothing was reached there, an accident later."""
        cause = error.__cause__ or error
        is_unconnected = type(cause).__name__ in ("ConnectError", "ConnectTimeout")  # of httpx
        if is_unconnected and not self._was_reached:
            return TeacherError(
                f"no teacher answers at {self.host} ({self._show(cause) or 'time-out'}). Start it, "
                f"or change {self._section}.base_url"
            )
        is_timeout = isinstance(error, TimeoutError) or "Timeout" in type(cause).__name__
        return RequestFailed("timeout" if is_timeout else "connection")

    def _explain_status(self, error: "openai.APIStatusError") -> Exception:
        status = error.status_code
        is_repeatable = status in (408, 409, 429) or status >= 500
        if is_repeatable and error.code != "insufficient_quota":
            kind = {408: "timeout", 429: "rate_limit"}.get(status, "server")
            return RequestFailed(kind, wait_s=read_wait(error.response.headers.get("retry-after")))
        said = "" if status in (401, 403) else f": {self._show(_message(error.body))}"
        return TeacherError(
            f"{self.host} refused the request with status {status}{said}. {self._advice(status)}"
        )

    def _advice(self, status: int) -> str:
        section, model = self._section, self._config.model
        variable = self._config.api_key_env
        key = (
            f"the key in the environment variable {variable} ({section}.api_key_env)"
            if variable
            else f"{section}.api_key_env, which names no variable: no key was sent"
        )
        advice = {
            401: f"Change {key}",
            402: _NO_CREDIT,
            403: f"The key may not use {model!r}: change {section}.model, or {key}",
            404: f"Change {section}.model ({model!r}), or {section}.base_url, which ends before "
            "/chat/completions",
            429: _NO_CREDIT,
        }
        return advice.get(
            status,
            f"Change {section}.max_tokens, temperature, extra_body or model to what the endpoint "
            f"takes; {section.rpartition('.')[0]}.ingest.max_tokens leaves out rows that are too "
            "long for it",
        )

    def _show(self, said: object) -> str:
        """What somebody else says: one line that can be shown, cut, without the key."""
        text = " ".join("".join(filter(str.isprintable, word)) for word in str(said).split())
        return (text.replace(self._key, "***") if self._key else text)[:_SHOWN_CHARS]


def _message(body: object) -> object:
    """The message in the body of an error, or the body where it has none."""
    return body.get("message", body) if isinstance(body, Mapping) else body
