"""Mind2Web annotations (CC-BY-4.0): recorded human tasks, one page of HTML before each action.

The page after an action is the page before the next one, so the last action of a task gives no
row. There is no accessibility tree: elements that carry a ``backend_node_id`` become its lines,
roles come from tags and a few attributes are kept. Pages are long: raise web.ingest.max_tokens.
"""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from worldtune.domains.web.tree import Node
from worldtune.ingestion.rows import Format, Record, RowFault, optional_text, require_text

MAX_NAME_CHARS = 300
"""Longer names are cut; HTML puts whole paragraphs into one text node."""

MAX_PAGE_CHARS = 5_000_000
_MAX_UNCLOSED = 1000
"""How far up an end tag looks for its start, so that hostile nesting stays linear."""

_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_ROLES = {
    "a": "link",
    "button": "button",
    "select": "combobox",
    "option": "option",
    "textarea": "textbox",
    "img": "image",
    "text": "StaticText",
    "li": "listitem",
    "ul": "list",
    "ol": "list",
    "html": "RootWebArea",
    "nav": "navigation",
    "table": "table",
    "tr": "row",
    "td": "cell",
    "th": "columnheader",
    "label": "LabelText",
    **{f"h{level}": "heading" for level in range(1, 7)},
}
_INPUT_ROLES = {"checkbox": "checkbox", "radio": "radio", "submit": "button", "button": "button"}
_NAMES = ("aria_label", "aria-label", "alt", "title", "placeholder", "label")
_ATTRIBUTES = {
    "input_checked": "checked",
    "checked": "checked",
    "option_selected": "selected",
    "selected": "selected",
    "input_value": "value",
    "text_value": "value",
    "value": "value",
    "aria_expanded": "expanded",
    "aria-expanded": "expanded",
}
_FLAGS = {"true": "True", "false": "False", "": "True"}


def convert(record: Record) -> Iterator[dict[str, Any] | RowFault]:
    """Yield one row per action but the last. Raises RowFault if there is no list of actions."""
    values = record.values
    actions = _decoded(values.get("actions"))
    if not isinstance(actions, list) or not all(isinstance(action, dict) for action in actions):
        raise RowFault("missing_field", "actions is not a list of objects")
    task = {
        "url": optional_text(values, "website", ""),
        "objective": optional_text(values, "confirmed_task", ""),
        "site": optional_text(values, "website", ""),
        "task": str(values.get("annotation_id", "")),
        "split": values.get("split"),
        "licence": "CC-BY-4.0",
    }
    previous = "None"
    for step, (action, following) in enumerate(itertools.pairwise(actions)):
        try:
            text = action_text(action)
            pages = {
                "observation": tree_text(require_text(action, "cleaned_html")),
                "next_observation": tree_text(require_text(following, "cleaned_html")),
            }
        except RowFault as fault:
            # One bad step must not take the rest of its task along.
            yield fault
            continue
        yield {**task, **pages, "step": step, "previous_action": previous, "action": text}
        previous = text


def action_text(action: dict[str, Any]) -> str:
    """The action in our vocabulary: CLICK, TYPE or SELECT on the first positive candidate."""
    operation = _decoded(action.get("operation"))
    candidates = _decoded(action.get("pos_candidates"))
    if not isinstance(operation, dict) or "op" not in operation:
        raise RowFault("missing_field", "operation is not an object with op and value")
    target = _decoded(candidates[0]) if isinstance(candidates, list) and candidates else None
    if not isinstance(target, dict) or "backend_node_id" not in target:
        raise RowFault("missing_field", "pos_candidates names no element with a backend_node_id")
    element, value = target["backend_node_id"], str(operation.get("value") or "")
    match str(operation["op"]).upper():
        case "CLICK":
            return f"click [{element}]"
        case "TYPE":
            return f"type [{element}] [{value}] [0]"
        case "SELECT":
            return f"select [{element}] [{value}]"
        case other:
            raise RowFault(
                "unknown_action", f"operation {other[:40]!r}; expected CLICK, TYPE or SELECT"
            )


def tree_text(page: str) -> str:
    """HTML as tree text: elements with a backend_node_id, in document order, by their nesting.

    Raises:
        RowFault: the page is too long to read, or no element of it bears an id.
    """
    if len(page) > MAX_PAGE_CHARS:
        raise RowFault(
            "too_long", f"cleaned_html has {len(page):,} characters; at most {MAX_PAGE_CHARS:,}"
        )
    parser = _TreeParser()
    parser.feed(page)
    parser.close()
    if not parser.nodes:
        raise RowFault("unparsable_tree", "no element of cleaned_html has a backend_node_id")
    return "\n".join("\t" * node.depth + node.line for node in parser.nodes)


class _TreeParser(HTMLParser):
    """Collects the nodes of a page. ``_open``: per open tag, the index of its node or None."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.nodes: list[Node] = []
        self._open: list[tuple[str, int | None]] = []
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = _node(tag, {key: value or "" for key, value in attrs}, self._depth)
        if node is not None:
            self.nodes.append(node)
        if tag not in _VOID:
            self._open.append((tag, None if node is None else len(self.nodes) - 1))
            self._depth += node is not None

    def handle_endtag(self, tag: str) -> None:
        # A stray end tag closes nothing; a missing one is closed by that of an ancestor.
        if all(tag != name for name, _ in self._open[-_MAX_UNCLOSED:]):
            return
        closed = None
        while closed != tag:
            closed, index = self._open.pop()
            self._depth -= index is not None

    def handle_data(self, data: str) -> None:
        index = self._open[-1][1] if self._open else None
        if index is not None and not self.nodes[index].name:
            self.nodes[index] = replace(self.nodes[index], name=_plain(data))


def _node(tag: str, attributes: dict[str, str], depth: int) -> Node | None:
    backend_id = attributes.get("backend_node_id", "")
    if not backend_id.isascii() or not backend_id.isdigit() or len(backend_id) > 9:
        return None
    role = attributes.get("role") or _ROLES.get(tag, "generic")
    if tag == "input":
        role = _INPUT_ROLES.get(attributes.get("type", "text"), "textbox")
    role = re.sub(r"[\s'\"]+", "", role) or "generic"
    name = next((attributes[key] for key in _NAMES if attributes.get(key)), "")
    kept = {
        ours: _value(attributes[theirs])
        for theirs, ours in _ATTRIBUTES.items()
        if theirs in attributes
    }
    return Node(int(backend_id), role, _plain(name), tuple(kept.items()), depth)


def _value(value: str) -> str:
    return _FLAGS.get(value.lower(), f"'{_plain(value)}'")


def _plain(text: str) -> str:
    """One line without the quote that delimits names and values in a tree line."""
    return " ".join(text.split())[:MAX_NAME_CHARS].replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")


def _decoded(value: Any) -> Any:
    """Nested fields are JSON text in parquet copies of the data set, objects in its JSON files."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


FORMAT = Format(
    kind="mind2web",
    needs=(("annotation_id", "confirmed_task", "actions"),),
    convert=convert,
    max_line_bytes=1 << 28,
)
