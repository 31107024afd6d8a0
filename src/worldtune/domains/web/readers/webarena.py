"""Text of WebArena agents, for the formats that quote it: prompts, answers, repr-quoted names.

A prompt names its fields in capitals at the start of a line (URL:, OBJECTIVE:, PREVIOUS ACTION:,
CURRENT OBSERVATION:, CURRENT ACTION:); an answer ends with three sections of item lines. WebArena
prints names with Python's repr, so names with an apostrophe come in double quotes, and it leaves
some attributes without a value; both are brought to our one grammar here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from worldtune.ingestion.rows import RowFault

SECTIONS = {
    "New items:": "new_items",
    "Deleted items:": "deleted_items",
    "Updated items:": "updated_items",
}

_DOUBLE_QUOTED = re.compile(r"^(\t*\[\d+\] [^\s'\"]+) \"(.*)\"((?: [A-Za-z][\w-]*: ?[^'\"]*)?)$")
_EMPTY_ATTRIBUTE = re.compile(r" [A-Za-z][\w-]*:(?=(?: [A-Za-z][\w-]*:|\s*$))")
_FIELD = re.compile(
    r"^(URL|OBJECTIVE|PREVIOUS ACTION|CURRENT OBSERVATION|CURRENT ACTION):[ \t]*", re.M
)
_NOTE = re.compile(r"\s+where \[\d+\] is .*$")


@dataclass(frozen=True)
class Answer:
    """An answer taken apart: what precedes the sections, and the item lines of each section."""

    reasoning: str
    items: dict[str, list[str]]


def normalize(text: str) -> str:
    """Bring tree text to our grammar: names in single quotes, no attribute without a value."""
    return "\n".join(_normalize_line(line) for line in text.split("\n"))


def item_lines(text: str | Sequence[str] | None) -> list[str]:
    """The items in a section: stripped lines without blanks and the placeholder ``None``."""
    if text is None:
        return []
    lines = text.split("\n") if isinstance(text, str) else text
    stripped = [_normalize_line(line.strip()) for line in lines]
    return [line for line in stripped if line and line != "None"]


def prompt_fields(prompt: str, column: str) -> dict[str, str]:
    """Take the current page, action and their context out of a prompt.

    The last CURRENT OBSERVATION counts: instructions before it may show examples.

    Raises:
        RowFault: a marker that must be there is not.
    """
    marks = list(_FIELD.finditer(prompt))
    names = [mark[1] for mark in marks]
    for needed in ("CURRENT OBSERVATION", "CURRENT ACTION"):
        if needed not in names:
            raise RowFault("missing_field", f"{column} holds no line that starts with '{needed}:'")
    page = len(names) - 1 - names[::-1].index("CURRENT OBSERVATION")
    if "CURRENT ACTION" not in names[page:]:
        raise RowFault(
            "missing_field", f"{column} holds no 'CURRENT ACTION:' after the observation"
        )
    ends = [mark.start() for mark in marks[1:]] + [len(prompt)]
    texts = [prompt[mark.end() : end] for mark, end in zip(marks, ends, strict=True)]
    found = {name: text for name, text in zip(names[: page + 1], texts, strict=False)}
    for name, text in zip(names[page + 1 :], texts[page + 1 :], strict=True):
        found.setdefault(name, text)
    action = texts[page + names[page:].index("CURRENT ACTION")]
    return {
        "url": found.get("URL", "").strip(),
        "objective": found.get("OBJECTIVE", "").strip(),
        "previous_action": strip_note(found.get("PREVIOUS ACTION", "")) or "None",
        "observation": normalize(found["CURRENT OBSERVATION"].strip("\n ")),
        "action": strip_note(action),
    }


def split_answer(answer: str) -> Answer | None:
    """Take an answer apart; None if it holds none of the three section headers."""
    items: dict[str, list[str]] = {column: [] for column in SECTIONS.values()}
    reasoning: list[str] = []
    current: str | None = None
    for line in answer.split("\n"):
        header = next((name for name in SECTIONS if line.strip().startswith(name)), None)
        if header is not None:
            current = SECTIONS[header]
        elif current is None:
            reasoning.append(line)
        else:
            items[current] += item_lines(line)
    return None if current is None else Answer("\n".join(reasoning).strip(), items)


def strip_note(action: str) -> str:
    """The action on the first line, without the note `` where [id] is ...`` that WMA appends."""
    lines = action.strip().split("\n", 1)
    return _NOTE.sub("", lines[0]).strip()


def _normalize_line(line: str) -> str:
    if '"' in line:
        line = _DOUBLE_QUOTED.sub(r"\1 '\2'\3", line)
    # Only what follows the name: a name may well end with a colon.
    head, quote, attributes = line.rpartition("'")
    return head + quote + _EMPTY_ATTRIBUTE.sub("", attributes) if ":" in attributes else line
