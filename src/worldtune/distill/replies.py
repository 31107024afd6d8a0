"""What comes back from the teacher, read with the distrust that text from outside deserves."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True)
class Reply:
    """What the teacher answered.

    content: the answer, possibly with reasoning in it. reasoning: what the server sends apart, ""
    where it sends none. finish_reason: "stop", "length" for an answer that was cut off, or other.
    Tokens as the server counts them, 0 where it does not say.
    """

    content: str
    reasoning: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


class RequestFailed(Exception):
    """A request that may succeed when it is repeated.

    kind: rate_limit, server, timeout, connection or malformed. wait_s: what the server asks for.
    """

    def __init__(self, kind: str, *, wait_s: float | None = None) -> None:
        """State what happened and how long the server asks to wait."""
        super().__init__(kind)
        self.kind, self.wait_s = kind, wait_s


def read_reply(text: str) -> Reply:
    """The body of an answer. Raises RequestFailed where it is not one.

    DeepSeek and vLLM name the reasoning ``reasoning_content``, others ``reasoning``.
    """
    try:
        body = json.loads(text)
        choice = body["choices"][0]
        message, usage = choice["message"], body.get("usage") or {}
        content = message.get("content")
        if not (content is None or isinstance(content, str)):
            raise TypeError(f"expected text, found {type(content).__name__}")
        return Reply(
            content=_text(content),
            reasoning=_text(message.get("reasoning_content") or message.get("reasoning")),
            finish_reason=_text(choice.get("finish_reason")),
            prompt_tokens=_count(usage.get("prompt_tokens")),
            completion_tokens=_count(usage.get("completion_tokens")),
        )
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        raise RequestFailed("malformed") from None


def _text(value: object) -> str:
    """Text, "" for anything else; halves of surrogate pairs, which no table stores, become "?"."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _count(value: float | None) -> int:
    return min(max(0, int(value or 0)), _MOST_TOKENS)


def read_wait(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number or a date; None if it says neither."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            until = parsedate_to_datetime(header)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        seconds = (until - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if not math.isnan(seconds) else None
