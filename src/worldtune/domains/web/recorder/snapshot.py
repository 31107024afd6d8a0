"""From what Chromium says about a page to numbered tree lines; pure functions.

Input: the nodes of ``Accessibility.getFullAXTree`` and the document of
``DOMSnapshot.captureSnapshot``. Output: elements in document order, then nodes with episode-local
ids. Ids go up in the order of first appearance, so an element that is new gets the next free id,
and a world model can foretell it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from worldtune.domains.web.tree import Node

ALWAYS_KEPT = frozenset(
    "RootWebArea heading button link textbox searchbox checkbox radio combobox option listbox tab "
    "tablist tabpanel list listitem table row cell columnheader rowheader grid gridcell StaticText "
    "status alert image radiogroup spinbutton slider switch menu menubar menuitem menuitemcheckbox "
    "menuitemradio dialog alertdialog progressbar meter tree treeitem".split()
)
KEPT_WHEN_NAMED = frozenset(
    "form navigation main group region article banner log toolbar search".split()
)
VALUED = frozenset("textbox searchbox combobox spinbutton slider progressbar meter".split())
TEXT_FIELDS = frozenset(("textbox", "searchbox", "spinbutton"))
STATE_ORDER = ("checked", "selected", "expanded", "pressed", "disabled", "required")
# These are said of every field by default; only their presence is news.
SAID_WHEN_TRUE = frozenset(("disabled", "required"))


@dataclass(frozen=True)
class DomElement:
    """What the document says about one DOM node; ``attributes`` by lower-case name."""

    tag: str
    attributes: Mapping[str, str]
    is_clickable: bool = False
    is_hidden_content: bool = False
    is_in_form: bool = False


@dataclass(frozen=True)
class Element:
    """One kept element, before it has an id; ``key`` is stable while it lives."""

    key: tuple[int, str]
    role: str
    name: str
    attributes: tuple[tuple[str, str], ...]
    depth: int
    is_focused: bool = False
    dom: DomElement = field(default_factory=lambda: DomElement("", {}))


@dataclass(frozen=True)
class Page:
    """A numbered page: ``nodes[i]`` belongs to ``elements[i]``; ``next_id`` is the next free id."""

    nodes: tuple[Node, ...]
    elements: tuple[Element, ...]
    next_id: int

    @property
    def text(self) -> str:
        """The observation: one line per element, tabs for depth."""
        return "\n".join("\t" * node.depth + node.line for node in self.nodes)

    @property
    def focused_id(self) -> int | None:
        """Id of the element that has the focus; None when it is outside the tree."""
        pairs = zip(self.nodes, self.elements, strict=True)
        return next((node.id for node, element in pairs if element.is_focused), None)


def read_dom(document: Mapping[str, Any], strings: Sequence[str]) -> dict[int, DomElement]:
    """Index a ``captureSnapshot`` document by backend node id."""
    nodes = document["nodes"]
    clickable = set(nodes.get("isClickable", {}).get("index", ()))
    elements: dict[int, DomElement] = {}
    by_index: list[DomElement] = []
    for index, backend_id in enumerate(nodes["backendNodeId"]):
        parent_index = nodes["parentIndex"][index]
        parent = by_index[parent_index] if parent_index >= 0 else DomElement("", {})
        flat = [strings[text] for text in nodes["attributes"][index]]
        attributes = dict(zip(flat[::2], flat[1::2], strict=True))
        tag = strings[nodes["nodeName"][index]].lower()
        element = DomElement(
            tag=tag,
            attributes=attributes,
            is_clickable=index in clickable,
            is_hidden_content=parent.is_hidden_content or "data-hidden" in attributes,
            is_in_form=parent.is_in_form or tag == "form",
        )
        by_index.append(element)
        elements[backend_id] = element
    return elements


def read_elements(
    ax_nodes: Sequence[Mapping[str, Any]], dom: Mapping[int, DomElement]
) -> list[Element]:
    """List the kept elements of an accessibility tree in document order."""
    by_id = {node["nodeId"]: node for node in ax_nodes}
    roots = [node for node in ax_nodes if "parentId" not in node or node["parentId"] not in by_id]
    return _without_repeats([kept for root in roots[:1] for kept in _walk(root, by_id, dom, ())])


@dataclass(frozen=True)
class _Kept:
    """An element together with its nearest kept ancestor, to see whether it only repeats it."""

    element: Element
    ancestor: Element | None


def _walk(
    ax: Mapping[str, Any],
    by_id: Mapping[str, Mapping[str, Any]],
    dom: Mapping[int, DomElement],
    ancestors: tuple[Element, ...],
) -> Iterator[_Kept]:
    element = _as_element(ax, dom, depth=len(ancestors))
    if element is not None:
        yield _Kept(element, ancestors[-1] if ancestors else None)
        ancestors = (*ancestors, element)
    for child in ax.get("childIds", ()):
        if child in by_id:
            yield from _walk(by_id[child], by_id, dom, ancestors)


def _as_element(
    ax: Mapping[str, Any], dom: Mapping[int, DomElement], *, depth: int
) -> Element | None:
    role = ax.get("role", {}).get("value", "")
    name = clean_text(str(ax.get("name", {}).get("value", "")))
    is_kept = role in ALWAYS_KEPT or (role in KEPT_WHEN_NAMED and bool(name))
    backend_id = ax.get("backendDOMNodeId")
    if (
        ax.get("ignored")
        or not is_kept
        or backend_id is None
        or (role == "StaticText" and not name)
    ):
        return None
    states = {item["name"]: item["value"].get("value") for item in ax.get("properties", ())}
    element = dom.get(backend_id, DomElement("", {}))
    return Element(
        key=(backend_id, role),
        role=role,
        name=name,
        attributes=tuple(_attributes(role, ax, states, element)),
        depth=depth,
        is_focused=bool(states.get("focused")) and role != "RootWebArea",
        dom=element,
    )


def _attributes(
    role: str, ax: Mapping[str, Any], states: Mapping[str, Any], element: DomElement
) -> Iterator[tuple[str, str]]:
    for state in STATE_ORDER:
        # The popup of a native select never opens headless: its state says nothing.
        if state not in states or (state == "expanded" and element.tag == "select"):
            continue
        word = str(states[state]).capitalize()
        if word != "False" or state not in SAID_WHEN_TRUE:
            yield state, word
    value = clean_text(str(ax.get("value", {}).get("value", "")))
    if role in VALUED and value:
        yield "value", "'" + value.replace("'", "\u2019") + "'"
    if str(states.get("invalid", "false")).lower() not in ("false", ""):
        yield "invalid", "True"


def _without_repeats(kept: Sequence[_Kept]) -> list[Element]:
    """Drop text that only repeats the name of the element around it, and the text inside fields."""
    return [
        item.element
        for item in kept
        if item.element.role != "StaticText"
        or item.ancestor is None
        or not (
            item.ancestor.role in TEXT_FIELDS
            or (
                item.ancestor.role != "RootWebArea"
                and has_phrase(item.ancestor.name, item.element.name)
            )
        )
    ]


def clean_text(text: str) -> str:
    """Collapse white space; private-use characters (icon fonts) and controls go."""
    visible = re.sub(r"[\x00-\x1f\x7f\u200b-\u200f\u2028\u2029\ue000-\uf8ff]", " ", text)
    return " ".join(visible.split())


def has_phrase(text: str, phrase: str) -> bool:
    """Whether ``phrase`` stands in ``text`` at word borders."""
    return f" {phrase} " in f" {text} "


def number(elements: Sequence[Element], *, previous: Page | None, is_same_document: bool) -> Page:
    """Give ids: an element that the previous page showed keeps its id, others get the next ones.

    An element that went and came back counts as new, because its old id cannot be known from the
    page. ``is_same_document`` is false after a navigation: then every element is new.
    """
    # Lists, because two elements may share a DOM node and a role (image maps).
    known: dict[tuple[int, str], list[int]] = {}
    if previous is not None and is_same_document:
        for node, element in zip(previous.nodes, previous.elements, strict=True):
            known.setdefault(element.key, []).append(node.id)
    next_id = previous.next_id if previous is not None else 1
    nodes: list[Node] = []
    for element in elements:
        kept = known.get(element.key)
        if kept:
            identifier = kept.pop(0)
        else:
            identifier, next_id = next_id, next_id + 1
        nodes.append(
            Node(identifier, element.role, element.name, element.attributes, element.depth)
        )
    return Page(tuple(nodes), tuple(elements), next_id)
