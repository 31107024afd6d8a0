"""Accessibility-tree text: one line per element, and the difference between two trees.

A page is text in the form that WebArena made common: ``[id] role 'name' key: value`` per element,
one tab of indentation per level, optionally headed by a ``Tab 0 (current): title`` line. A
transition is described by three lists of such lines without indentation (new, deleted, updated).
This module is the only place that knows this grammar; it knows nothing of prompts, rewards or
browsers.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

MAX_LINE_CHARS = 4_000
"""Longer lines are refused: no accessible name is that long, and parsing stays bounded."""

_LINE = re.compile(
    r"\[(?P<id>0|[1-9][0-9]{0,8})\] (?P<role>[^\s']+) '(?P<name>.*?)'"
    r"(?P<attributes>(?: [A-Za-z][\w-]*+: (?:'[^'\n]*+'|[^\s']\S*+(?: (?![\w-]+: )[^\s']++)*+))*+)"
)
_ATTRIBUTE = re.compile(r" ([A-Za-z][\w-]*): ('[^'\n]*'|[^\s']\S*(?: (?![\w-]+: )[^\s']+)*)")


class TreeError(ValueError):
    """A line that is not an element, or a tree whose ids are not unique."""


@dataclass(frozen=True)
class Node:
    """One element: ``id`` >= 0, ``depth`` in tabs, ``attributes`` as written, in order."""

    id: int
    role: str
    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    depth: int = 0

    @property
    def line(self) -> str:
        """The element as one line without indentation."""
        attributes = "".join(f" {key}: {value}" for key, value in self.attributes)
        return f"[{self.id}] {self.role} '{self.name}'{attributes}"


@dataclass(frozen=True)
class Changes:
    """What an action did to a page; each item is a line without indentation."""

    new: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()

    @cached_property
    def sections(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """The lists in the order of the paper's answer format: new, deleted, updated."""
        return self.new, self.deleted, self.updated

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.new or self.deleted or self.updated)


def parse_line(line: str) -> Node:
    """Read one element; leading tabs give its depth. Raises TreeError."""
    body = line.lstrip("\t")
    match = _LINE.fullmatch(body) if len(body) <= MAX_LINE_CHARS else None
    if match is None:
        raise TreeError(
            f"not an element line: {body[:80]!r} (expected: [id] role 'name' key: value)"
        )
    attributes = tuple(_ATTRIBUTE.findall(match["attributes"]))
    return Node(int(match["id"]), match["role"], match["name"], attributes, len(line) - len(body))


def parse_tree(text: str) -> list[Node]:
    """Read a page in document order. Raises TreeError: bad line, repeated id or no element."""
    lines = [line for line in text.split("\n") if line.strip()]
    nodes = [parse_line(line) for line in lines if not line.startswith("Tab ")]
    if not nodes:
        raise TreeError("the observation holds no element")
    seen: set[int] = set()
    for node in nodes:
        if node.id in seen:
            raise TreeError(f"id [{node.id}] occurs twice in one observation")
        seen.add(node.id)
    return nodes


def diff(before: Iterable[Node], after: Iterable[Node]) -> Changes:
    """Compare two pages by id.

    New and updated lines are in the order of ``after``, deleted ones in that of ``before``.
    """
    old = {node.id: node.line for node in before}
    current = {node.id: node.line for node in after}
    return Changes(
        new=tuple(line for key, line in current.items() if key not in old),
        deleted=tuple(line for key, line in old.items() if key not in current),
        updated=tuple(line for key, line in current.items() if key in old and old[key] != line),
    )
