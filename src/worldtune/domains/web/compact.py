r"""The compact layout for small models: short text in which every id, word and number is one token.

A page line is ``[n] role name words | key: value``, led by one space so that a number is the same
token everywhere; quotes are left out. Elements are renumbered 1, 2, 3 ... in document order and new
ones go on from there, so that numbers mean the same on every page, however long an episode has run;
``decode`` gives the page's own ids back. The prompt states the action before and after the page:
before, so that a causal model knows the acted-on element when it reads it; after, to start the
answer; both times with the element's own line, so that the model need not look it up. The answer
has three sections in the paper's order, ``+`` new, ``-`` deleted, ``~`` updated. Deleted items are
numbers, updated items only what changes; ``decode`` restores the full lines from the page. A line
that this shorthand cannot restore exactly is written in full, with its own id, behind ``=``.
Objective and previous action are left out: in the recorded data they do not help and cost a fifth
of the tokens.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice

from worldtune.contracts import Row
from worldtune.domains.web.metrics import truth
from worldtune.domains.web.tree import Changes, Node, TreeError, parse_line, parse_tree

MAX_ANSWER_CHARS = 32_768
"""Longer answers are malformed: five hundred full lines, beyond any page that fits the context."""
MAX_SECTION_ENTRIES = 256
"""Sections with more entries are malformed, so that the time to read an answer is bounded."""

_ENTRY = re.compile(r"[^\n]+")
_DELETED_ENTRY = re.compile(r"=[^\n]+|\S+")
_ID = re.compile(r"\[([0-9]{1,9})\]")
_SHORT = re.compile(r"\[([0-9]{1,9})\](?: ([^|\n]+?))?(?: \|( [^|\n]+))?")
_PAIR = re.compile(
    r" ([A-Za-z][\w-]*)(?:: (\S+)|= ([^|\n]*?)|(-))(?= [A-Za-z][\w-]*(?:: |= |-(?: |$))|$)"
)
_TARGET = re.compile(r"\A(click|hover|type|select) \[(\d{1,9})\]")
_ACTION_TEXT = re.compile(r"\A(type|select) \[(\d+)\] \[(.*?)\](?: \[([01])\])?\Z", re.DOTALL)


def _write_pair(key: str, value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] == "'"
    return f" {key}= {value[1:-1]}" if quoted else f" {key}: {value}"


def _write_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    text = "".join(_write_pair(key, value) for key, value in pairs)
    return f" |{text}" if text else ""


def _read_pairs(text: str) -> list[tuple[str, str | None]] | None:
    """Attributes of a short line; a value of None takes the attribute away."""
    pairs: list[tuple[str, str | None]] = []
    position = 0
    for match in _PAIR.finditer(text):
        if match.start() != position:
            return None
        key, word, quoted, removed = match.groups()
        pairs.append((key, None if removed else word if word is not None else f"'{quoted}'"))
        position = match.end()
    return pairs if position == len(text) else None


@dataclass(frozen=True, eq=False)
class _Page:
    """The elements of a page and their numbers.

    nodes: by id, in document order. numbers: id -> 1, 2, 3 ... next_id: the id of the first new
    element, which gets the number after the last.
    """

    nodes: Mapping[int, Node]
    numbers: Mapping[int, int]
    next_id: int

    def number(self, element_id: int) -> int | None:
        """The number of an element of the page or of a new one; None for ids that are neither."""
        known = self.numbers.get(element_id)
        if known is not None or element_id < self.next_id:
            return known
        return element_id - self.next_id + 1 + len(self.nodes)

    def node(self, number: int) -> Node | None:
        """The element with this number, None if it is not on the page."""
        return self.nodes[self._ids[number - 1]] if 1 <= number <= len(self.nodes) else None

    def element_id(self, number: int) -> int:
        """The id behind a number."""
        node = self.node(number)
        return node.id if node else max(0, self.next_id + number - 1 - len(self.nodes))

    @cached_property
    def _ids(self) -> list[int]:
        return list(self.nodes)


@lru_cache(maxsize=1024)
def _read_page(observation: str, next_id: int) -> _Page:
    nodes = {node.id: node for node in parse_tree(observation)}
    return _Page(nodes, {key: i for i, key in enumerate(nodes, start=1)}, next_id)


def _page(row: Row) -> _Page:
    """The page of a row; cached, because every completion of a group reads it."""
    return _read_page(row["observation"], int(row["next_id"]))


def write_line(line: str, page: _Page) -> str:
    """A full line in short form, or in full behind ``=`` where that would lose something."""
    try:
        node = parse_line(line)
    except TreeError:
        return f"={line}"
    number = page.number(node.id)
    name = f" {node.name}" if node.name else ""
    short = f"[{number}] {node.role}{name}{_write_pairs(node.attributes)}"
    return short if read_line(short.strip(" "), page) == line else f"={line}"


def read_line(entry: str, page: _Page) -> str:
    """The full line behind an entry of the new section; other text is returned as it is."""
    if entry.startswith("="):
        return entry[1:]
    match = _SHORT.fullmatch(entry)
    pairs = _read_pairs(match[3] or "") if match else None
    if match is None or pairs is None or match[2] is None:
        return entry
    role, _, name = match[2].partition(" ")
    attributes = tuple((key, value) for key, value in pairs if value is not None)
    return Node(page.element_id(int(match[1])), role, name, attributes).line


def _write_update(line: str, page: _Page) -> str:
    try:
        node = parse_line(line)
    except TreeError:
        return f"={line}"
    old = page.nodes.get(node.id)
    if old is None:
        return f"={line}"
    before, after = dict(old.attributes), dict(node.attributes)
    removed = "".join(f" {key}-" for key in before if key not in after)
    changed = _write_pairs((k, v) for k, v in after.items() if before.get(k) != v)
    name = f" {node.name}" if node.name != old.name else ""
    pairs = (changed or (" |" if removed else "")) + removed
    short = f"[{page.number(node.id)}]{name}{pairs}"
    return short if _read_update(short.strip(" "), page) == line else f"={line}"


def _read_update(entry: str, page: _Page) -> str:
    if entry.startswith("="):
        return entry[1:]
    match = _SHORT.fullmatch(entry)
    pairs = _read_pairs(match[3] or "") if match else None
    old = page.node(int(match[1])) if match else None
    if match is None or pairs is None or old is None:
        return entry
    attributes: dict[str, str | None] = {**dict(old.attributes), **dict(pairs)}
    kept = tuple((key, value) for key, value in attributes.items() if value is not None)
    return Node(old.id, old.role, match[2] if match[2] else old.name, kept).line


def _short_action(action: str) -> str:
    match = _ACTION_TEXT.match(action)
    if match:
        verb, target, text, enter = match.groups()
        # WebArena presses Enter unless told not to.
        presses_enter = verb == "type" and enter != "0"
        return f"{verb} [{target}] with {text}{' enter' if presses_enter else ''}"
    page = re.fullmatch(r"goto \[(.*)\]", action, re.DOTALL)
    return f"goto {_short_url(page[1])}" if page else action


def _short_url(url: str) -> str:
    path = re.sub(r"\A[a-z]+://[^/]*", "", url).split("?")[0].split("#")[0]
    return " ".join(part.removesuffix(".html") for part in path.split("/") if part)


def _ask(row: Row, page: _Page) -> str:
    """The action, with the line of the element that it acts on."""
    action = _short_action(row["action"])
    target = _TARGET.match(action)
    node = page.nodes.get(int(target[2])) if target else None
    if target is not None and node is not None:
        action = f"{target[1]} {write_line(node.line, page)}{action[target.end() :]}"
    return f" {action}"


def prompt(row: Row) -> str:
    """The page and the action as short text; it ends where the answer begins."""
    page = _page(row)
    ask = _ask(row, page)
    lines = ("\t" * node.depth + " " + write_line(node.line, page) for node in page.nodes.values())
    return "\n".join((f" {_short_url(row['url'])}", ask, *lines, ask, ""))


def completion(row: Row) -> str:
    """The true changes as an answer; ``decode`` gives them back exactly."""
    true = truth(row)
    page = _page(row)
    numbers = {node.line: page.numbers[node.id] for node in page.nodes.values()}
    deleted = (f"[{numbers[line]}]" if line in numbers else f"={line}" for line in true.deleted)
    new = (write_line(line, page) for line in true.new)
    updated = (_write_update(line, page) for line in true.updated)
    return f"+{_join(new)}\n-{_join(deleted, inline=True)}\n~{_join(updated)}"


def _join(entries: Iterable[str], inline: bool = False) -> str:
    """Entries of one section; deleted ids share a line, entries in full always have their own."""
    text = ""
    for entry in entries:
        new_line = text and (not inline or entry.startswith("=") or "=" in text)
        text += f"\n {entry}" if new_line else f" {entry}"
    return text


def _entry_spans(completion: str) -> list[list[tuple[int, int]]] | None:
    """Character spans of the entries of the three sections, None if the answer is malformed."""
    if len(completion) > MAX_ANSWER_CHARS or not completion.startswith("+"):
        return None
    # The first line that opens with the sign ends the section; a lazy regex would be quadratic.
    deleted = completion.find("\n-")
    updated = completion.find("\n~", deleted + 1)
    if deleted < 0 or updated < 0:
        return None
    borders = (1, deleted), (deleted + 2, updated), (updated + 2, len(completion))
    spans: list[list[tuple[int, int]]] = []
    for pattern, (start, end) in zip((_ENTRY, _DELETED_ENTRY, _ENTRY), borders, strict=True):
        found = list(islice(pattern.finditer(completion, start, end), MAX_SECTION_ENTRIES + 1))
        if len(found) > MAX_SECTION_ENTRIES:
            return None
        spans.append([entry.span() for entry in found if entry.group().strip()])
    return spans


def item_spans(completion: str) -> list[tuple[int, int]]:
    """Character spans of the predicted items."""
    return [span for section in _entry_spans(completion) or [] for span in section]


def decode(row: Row, completion: str) -> Changes | None:
    """Restore the full lines that an answer stands for; None if it is malformed. Never raises."""
    spans = _entry_spans(completion)
    if spans is None:
        return None
    page = _page(row)
    new, deleted, updated = (
        [completion[start:end].strip(" ") for start, end in section] for section in spans
    )
    return Changes(
        new=tuple(read_line(entry, page) for entry in new),
        deleted=tuple(_read_deleted(entry, page) for entry in deleted),
        updated=tuple(_read_update(entry, page) for entry in updated),
    )


def _read_deleted(entry: str, page: _Page) -> str:
    """The line behind a deleted number; other text stays itself, a wrong item."""
    if entry.startswith("="):
        return entry[1:]
    match = _ID.fullmatch(entry)
    node = page.node(int(match[1])) if match else None
    return node.line if node else entry
