r"""The compact layout for small models: short text in which every id, word and number is one token.

A page line is ``[id] role name words | key: value``, led by one space so that an id is the same token
everywhere; quotes are left out. The prompt states the action before and after the page: before, so that
a causal model knows the acted-on element when it reads it; after, to start the answer. The
answer has three sections in the paper's order, ``+`` new, ``-`` deleted, ``~`` updated. Deleted items
are ids, updated items only what changes; ``decode`` restores the full lines from the page. A line that
this shorthand cannot restore exactly is written in full behind ``=``. Objective and previous action are
left out: in the recorded data they do not help and cost a fifth of the tokens.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from types import MappingProxyType

from worldtune.contracts import Row
from worldtune.domains.web.metrics import truth
from worldtune.domains.web.tree import Changes, Node, TreeError, parse_line, parse_tree

MAX_ANSWER_CHARS = 65_536
"""Longer answers are malformed: a thousand lines, far beyond any page that fits the context."""
MAX_SECTION_ENTRIES = 4_096
"""Sections with more entries are malformed, so that the time to read an answer is bounded."""

_ENTRY = re.compile(r"[^\n]+")
_DELETED_ENTRY = re.compile(r"=[^\n]+|\S+")
_ID = re.compile(r"\[([0-9]{1,9})\]")
_SHORT = re.compile(r"\[([0-9]{1,9})\](?: ([^|\n]+?))?(?: \|( [^|\n]+))?")
_PAIR = re.compile(r" ([A-Za-z][\w-]*)(?:: (\S+)|= ([^|\n]*?)|(-))(?= [A-Za-z][\w-]*(?:: |= |-(?: |$))|$)")
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


@lru_cache(maxsize=16_384)
def write_line(line: str) -> str:
    """A full line in short form, or in full behind ``=`` where the short form would lose something."""
    try:
        node = parse_line(line)
    except TreeError:
        return f"={line}"
    name = f" {node.name}" if node.name else ""
    short = f"[{node.id}] {node.role}{name}{_write_pairs(node.attributes)}"
    return short if read_line(short.strip(" ")) == line else f"={line}"


def read_line(entry: str) -> str:
    """The full line behind an entry of the new section; text that is no entry is returned as it is."""
    if entry.startswith("="):
        return entry[1:]
    match = _SHORT.fullmatch(entry)
    pairs = _read_pairs(match[3] or "") if match else None
    if match is None or pairs is None or match[2] is None:
        return entry
    role, _, name = match[2].partition(" ")
    attributes = tuple((key, value) for key, value in pairs if value is not None)
    return Node(int(match[1]), role, name, attributes).line


def _write_update(line: str, page: Mapping[int, Node]) -> str:
    try:
        node = parse_line(line)
    except TreeError:
        return f"={line}"
    old = page.get(node.id)
    if old is None:
        return f"={line}"
    before, after = dict(old.attributes), dict(node.attributes)
    removed = "".join(f" {key}-" for key in before if key not in after)
    changed = _write_pairs((k, v) for k, v in after.items() if before.get(k) != v)
    name = f" {node.name}" if node.name != old.name else ""
    pairs = (changed or (" |" if removed else "")) + removed
    short = f"[{node.id}]{name}{pairs}"
    return short if _read_update(short.strip(" "), page) == line else f"={line}"


def _read_update(entry: str, page: Mapping[int, Node]) -> str:
    if entry.startswith("="):
        return entry[1:]
    match = _SHORT.fullmatch(entry)
    pairs = _read_pairs(match[3] or "") if match else None
    old = page.get(int(match[1])) if match else None
    if match is None or pairs is None or old is None:
        return entry
    attributes: dict[str, str | None] = dict(old.attributes) | dict(pairs)
    kept = tuple((key, value) for key, value in attributes.items() if value is not None)
    return Node(old.id, old.role, match[2] if match[2] else old.name, kept).line


@lru_cache(maxsize=1024)
def _page(observation: str) -> Mapping[int, Node]:
    """Elements by id in document order; cached, because every completion of a group reads it."""
    return MappingProxyType({node.id: node for node in parse_tree(observation)})


def _short_action(action: str) -> str:
    match = _ACTION_TEXT.match(action)
    if match:
        verb, target, text, enter = match.groups()
        # WebArena presses Enter unless told not to.
        presses_enter = verb == "type" and enter != "0"
        return f"{verb} [{target}] {text}{' enter' if presses_enter else ''}"
    return re.sub(r"\Agoto \[(.*)\]\Z", lambda m: f"goto {_short_url(m[1])}", action, flags=re.DOTALL)


def _short_url(url: str) -> str:
    path = re.sub(r"\A[a-z]+://[^/]*", "", url).split("?")[0].split("#")[0]
    return " ".join(part.removesuffix(".html") for part in path.split("/") if part)


def prompt(row: Row) -> str:
    """The page and the action as short text; it ends where the answer begins."""
    ask = f" {_short_action(row['action'])} next [{row['next_id']}]"
    page = "".join(
        "\n" + "\t" * node.depth + " " + write_line(node.line) for node in _page(row["observation"]).values()
    )
    return f" {_short_url(row['url'])}\n{ask}{page}\n{ask}\n"


def completion(row: Row) -> str:
    """The true changes as an answer; ``decode`` gives them back exactly."""
    true = truth(row)
    page = _page(row["observation"])
    lines = {node.line: node.id for node in page.values()}
    deleted = (f"[{lines[line]}]" if line in lines else f"={line}" for line in true.deleted)
    new = (write_line(line) for line in true.new)
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
    # The first line that opens with the sign ends the section; a lazy regex would be quadratic here.
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
    page = _page(row["observation"])
    new, deleted, updated = (
        [completion[start:end].strip(" ") for start, end in section] for section in spans
    )
    return Changes(
        new=tuple(read_line(entry) for entry in new),
        deleted=tuple(_read_deleted(entry, page) for entry in deleted),
        updated=tuple(_read_update(entry, page) for entry in updated),
    )


def _read_deleted(entry: str, page: Mapping[int, Node]) -> str:
    """The line of a deleted id; what is no id of the page stays itself, a wrong item."""
    if entry.startswith("="):
        return entry[1:]
    match = _ID.fullmatch(entry)
    node = page.get(int(match[1])) if match else None
    return node.line if node else entry
