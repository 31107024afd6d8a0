"""The paper's layout for pretrained language models: a chat prompt, three sections as the answer.

Reasoning may come before the sections, inside or outside think tags; the last complete run of
headers is what counts. Wording is ours; section names and their order are the paper's (appendix).
"""

import re
from collections.abc import Sequence

from worldtune.contracts import Message, Row
from worldtune.domains.web.metrics import truth
from worldtune.domains.web.tree import Changes

MAX_ANSWER_CHARS = 262_144
"""Longer answers are malformed: about ten times the longest that the paper allows."""
MAX_ANSWER_LINES = 8_192
"""Answers of more lines are malformed too, so that the time to read one is bounded."""

_SECTIONS = ("New items:", "Deleted items:", "Updated items:")
# The end of the reasoning, unless an item line merely quotes the tag from the page.
_THINK_END = re.compile(r"^(?![ \t]*\[\d).*</think>", re.MULTILINE)
_INSTRUCTIONS = """\
You simulate a web browser. From a page and an action, predict how the page changes.

You are given:
- URL: the address of the page
- OBJECTIVE: what the user wants to achieve
- PREVIOUS ACTION: the action that led to this page
- CURRENT OBSERVATION: the page as an accessibility tree, one element per line: \
[id] role 'name' key: value
- CURRENT ACTION: the action to simulate

Actions: click [id]; type [id] [text] [1 presses Enter, 0 does not]; select [id] [option]; \
hover [id]; press [keys]; scroll [up or down]; new_tab; tab_focus [index]; close_tab; goto [url]; \
go_back; go_forward; stop [answer].

Answer with the elements that appear, disappear or change, one per line, in three sections. Write \
every element as it stands on the page, without indentation; elements that change are written as \
they are afterwards. Write None in a section without elements. For example:

New items:
[31] StaticText 'Added to cart'

Deleted items:
None

Updated items:
[12] button 'Basket (1)' expanded: False
"""


def prompt(row: Row) -> Sequence[Message]:
    """One user message with the page, the history and the action."""
    fields = (
        f"URL: {row['url']}",
        f"OBJECTIVE: {row['objective']}",
        f"PREVIOUS ACTION: {row['previous_action']}",
        f"CURRENT OBSERVATION:\n{row['observation']}",
        f"CURRENT ACTION: {row['action']}",
    )
    content = "\n".join((_INSTRUCTIONS, *fields, "", "Output the three sections."))
    return (Message("user", content),)


def render(changes: Changes) -> str:
    """The three sections as text."""
    return "\n\n".join(
        "\n".join((header, *(items or ("None",))))
        for header, items in zip(_SECTIONS, changes.sections, strict=True)
    )


def completion(row: Row) -> str:
    """The true answer, after the row's recorded reasoning where it has one."""
    reasoning = row.get("reasoning")
    answer = render(truth(row))
    if isinstance(reasoning, str) and reasoning.strip():
        return f"{reasoning.rstrip()}\n\n{answer}"
    return answer


def is_oversized(completion: str) -> bool:
    """Whether a completion is too long to be read at all."""
    return len(completion) > MAX_ANSWER_CHARS or completion.count("\n") >= MAX_ANSWER_LINES


def _section_starts(completion: str) -> list[tuple[int, int]] | None:
    """(start, end) of the three headers in the last complete run of them, None if there is none."""
    if is_oversized(completion):
        return None
    answer_from = max((match.end() for match in _THINK_END.finditer(completion)), default=0)
    end = len(completion)
    starts: list[tuple[int, int]] = []
    for header in reversed(_SECTIONS):
        found = None
        pattern = rf"^[ \t]*{header}[ \t]*\r?$"
        for match in re.finditer(pattern, completion[answer_from:end], re.MULTILINE):
            found = match
        if found is None:
            return None
        starts.append((answer_from + found.start(), answer_from + found.end()))
        end = answer_from + found.start()
    return starts[::-1]


def item_spans(completion: str) -> list[tuple[int, int]]:
    """Character spans of the item lines; "None" is no item."""
    starts = _section_starts(completion)
    if starts is None:
        return []
    return [
        (match.start(), match.end())
        for match in re.finditer(r"[^\n]+", completion)
        if match.start() > starts[0][1]
        and match.group().strip() not in ("", "None")
        and not any(low <= match.start() < high for low, high in starts)
    ]


def decode(completion: str) -> Changes | None:
    """Read the last complete run of the three sections; None if there is none. Never raises."""
    starts = _section_starts(completion)
    if starts is None:
        return None
    ends = [*(start for start, _ in starts[1:]), len(completion)]
    sections = [
        tuple(
            line
            for raw in completion[begin:end].split("\n")
            if (line := raw.strip()) and line != "None"
        )
        for (_, begin), end in zip(starts, ends, strict=True)
    ]
    return Changes(*sections)
