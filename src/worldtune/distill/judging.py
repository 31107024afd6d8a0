"""Which answers are good: taken apart into reasoning and answer, put together, scored each time.

Knows no domain: how reasoning and answer are joined, and how an answer begins, is read off the
domain's own completions. What a student would be trained on (the reasoning before the true answer)
must be as good as what the teacher wrote.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from worldtune.contracts import Domain, Row
from worldtune.distill.replies import Reply
from worldtune.errors import UserError

OUTCOMES = (
    "accepted",
    "below_threshold",
    "unreadable",
    "spoilt_by_reasoning",
    "truncated",
    "filtered",
    "empty",
)
"""What becomes of an answer. spoilt_by_reasoning: right alone, but not behind its reasoning."""

_NEVER_ACCEPTED = {"length": "truncated", "content_filter": "filtered"}
_PROBE = "(the reasoning of this row)"
_THINK_END = "</think>"
_MAX_CUTS = 8
"""Beginnings of an answer that are tried, from the last on; each costs a reading of it."""


class NoReasoningError(UserError):
    """The domain's answers, as configured, hold no reasoning."""


@dataclass(frozen=True)
class Form:
    """How a domain writes an answer with its reasoning: ``before`` reasoning ``between`` answer.

    opening: what every answer begins with.
    """

    before: str
    between: str
    opening: str

    def join(self, reasoning: str, answer: str) -> str:
        """Reasoning and answer as one text."""
        return f"{self.before}{reasoning}{self.between}{answer}" if reasoning else answer


@dataclass(frozen=True)
class Verdict:
    """What an answer is worth: one of OUTCOMES, its parts, and the reward of the answer alone."""

    outcome: str
    reasoning: str = ""
    answer: str = ""
    completion: str = ""
    reward: float = 0.0

    @property
    def is_accepted(self) -> bool:
        """Whether it may become a demonstration."""
        return self.outcome == "accepted"


def find_form(domain: Domain, row: Row) -> Form:
    """Read the form off a completion of the domain. Raises NoReasoningError."""
    written = domain.completion({**row, "reasoning": _PROBE})
    bare = domain.completion({**row, "reasoning": ""})
    before, probe, rest = written.partition(_PROBE)
    if not probe or not rest.endswith(bare):
        raise NoReasoningError(
            f"completions of {domain.name} hold no reasoning under the present {domain.name}.task, "
            "so that a teacher's would be lost. Choose the settings for pretrained language models "
            "(docs/distill.md)"
        )
    line = bare.lstrip().partition("\n")[0]
    name, colon, _ = line.partition(":")
    return Form(before, rest.removesuffix(bare), name + colon)


def judge(row: Row, reply: Reply, *, domain: Domain, form: Form, threshold: float) -> Verdict:
    """Decide about one answer.

    Args:
        row: what was asked about.
        reply: what the teacher said.
        domain: scores it.
        form: how the domain joins reasoning and answer.
        threshold: lowest reward that is accepted.
    """
    if reply.finish_reason in _NEVER_ACCEPTED:
        return Verdict(_NEVER_ACCEPTED[reply.finish_reason])
    reasoning, answer = take_apart(reply, form.opening, lambda text: domain.decode(row, text))
    if not answer:
        return Verdict("empty")
    score = domain.score(row, answer)
    completion = form.join(reasoning, answer)
    trained_on = domain.completion({**row, "reasoning": reasoning})
    if not score.parsed:
        outcome = "unreadable"
    elif score.total < threshold:
        outcome = "below_threshold"
    elif any(domain.score(row, text).total < threshold for text in (completion, trained_on)):
        outcome = "spoilt_by_reasoning"
    else:
        outcome = "accepted"
    return Verdict(outcome, reasoning, answer, completion, score.total)


def take_apart(reply: Reply, opening: str, decode: Callable[[str], Any | None]) -> tuple[str, str]:
    """Reasoning and answer: reasoning is sent apart, ends with a think tag, or just comes first."""
    thought, _, said = reply.content.rpartition(_THINK_END)
    introduction, answer = _cut(said, opening, decode)
    parts = (reply.reasoning, thought.replace("<think>", ""), introduction)
    reasoning = "\n\n".join(part.strip() for part in parts if part.strip())
    return reasoning, answer.strip()


def _cut(text: str, opening: str, decode: Callable[[str], Any | None]) -> tuple[str, str]:
    """Split before the last opening from which the text still says the same; "" and all if none."""
    whole = decode(text)
    end = len(text)
    for _ in range(_MAX_CUTS if whole is not None else 0):
        start = text.rfind(opening, 0, end)
        if start < 0:
            break
        if decode(text[start:]) == whole:
            return text[:start], text[start:]
        end = start
    return "", text
