"""Which action to try next: a seeded choice that explores instead of solving the task.

Controls not yet used in the episode come first and the same action on the same page is never tried
twice, so most actions change something; now and then text that reacts to nothing is clicked,
because a world model must also know what does nothing.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from worldtune.domains.web.recorder.actions import Action
from worldtune.domains.web.recorder.snapshot import Element, Page
from worldtune.domains.web.tree import Node

CLICKED = frozenset(
    "button link checkbox radio tab switch menuitem menuitemcheckbox menuitemradio treeitem "
    "gridcell".split()
)
TYPED = frozenset(("textbox", "searchbox", "spinbutton"))

USED_BEFORE = 0.3
"""Weight of a control that was used earlier in the episode, relative to a fresh one."""
SURPRISED = 3.0
"""Weight of a control whose use brought what nobody could have known: worth another try."""
ENDING = 0.2
"""Weight of a button of a foreign page that probably ends its task."""
INERT = 0.06
"""Weight of an element that promises no reaction."""
DISABLED = 0.15
GOTO = 0.6
GO_BACK = 1.0
SELECT = 0.6
"""Weight of each option of a list that is not chosen yet."""

_ENDS = re.compile(
    r"submit|ok|done|cancel|close|send|login|sign in|book flight|search", re.IGNORECASE
)
_QUOTED = re.compile(r"\"([^\"\[\]]{1,40})\"|'([^'\[\]]{1,40})'")
_NAME = re.compile(r"[A-Z][a-z]{2,11}")


@dataclass(frozen=True)
class Candidate:
    """A possible action, its element (None for goto and go_back) and its weight (> 0)."""

    action: Action
    element: Element | None
    weight: float


@dataclass(frozen=True)
class Situation:
    """What the choice depends on.

    ``visited`` are addresses of the episode so far, ``used`` the ids acted on, ``surprising`` those
    of them that brought hidden content, ``tried`` the pairs (observation, action). ``words`` can be
    typed where nothing better offers; ``is_foreign`` tells MiniWoB++ from our pages.
    """

    page: Page
    url: str
    objective: str
    visited: tuple[str, ...]
    can_go_back: bool
    used: frozenset[int]
    surprising: frozenset[int]
    is_foreign: bool
    tried: frozenset[tuple[str, str]]
    words: Sequence[str]


def choose(situation: Situation, rng: random.Random) -> Candidate | None:
    """Draw the next action; None when everything on this page was tried."""
    text = situation.page.text
    candidates = [
        candidate
        for candidate in _candidates(situation, rng)
        if (text, str(candidate.action)) not in situation.tried
    ]
    if not candidates:
        return None
    return rng.choices(candidates, weights=[candidate.weight for candidate in candidates])[0]


def _candidates(situation: Situation, rng: random.Random) -> Iterator[Candidate]:
    page = situation.page
    combobox: Node | None = None
    for node, element in zip(page.nodes, page.elements, strict=True):
        states = dict(node.attributes)
        freshness = _freshness(node, situation)
        if node.role == "RootWebArea":
            continue
        if node.role in ("combobox", "listbox") and element.dom.tag == "select":
            combobox = node
        elif node.role == "option" and combobox is not None and element.dom.tag == "option":
            yield from _selection(page, combobox, node, freshness)
        elif states.get("disabled") == "True":
            yield Candidate(Action("click", node.id), element, DISABLED)
        elif node.role in TYPED or (node.role == "combobox" and element.dom.tag == "input"):
            action = _typing(node, element, situation, rng)
            yield Candidate(action, element, freshness)
        elif node.role in CLICKED or element.dom.is_clickable:
            yield Candidate(Action("click", node.id), element, freshness)
        else:
            yield Candidate(Action("click", node.id), element, INERT * freshness)
    yield from _navigation(situation)


def _freshness(node: Node, situation: Situation) -> float:
    if node.id in situation.surprising:
        return SURPRISED
    if situation.is_foreign and node.role == "button" and _ENDS.fullmatch(node.name):
        return ENDING
    return USED_BEFORE if node.id in situation.used else 1.0


def _selection(page: Page, combobox: Node, option: Node, freshness: float) -> Iterator[Candidate]:
    is_chosen = ("selected", "True") in option.attributes or (
        "value",
        f"'{option.name}'",
    ) in combobox.attributes
    if option.name and not is_chosen and "]" not in option.name:
        element = next(
            e for n, e in zip(page.nodes, page.elements, strict=True) if n.id == combobox.id
        )
        yield Candidate(Action("select", combobox.id, option.name), element, SELECT * freshness)


def _navigation(situation: Situation) -> Iterator[Candidate]:
    linked = [
        address
        for element in situation.page.elements
        if element.role == "link"
        and (address := local_address(element.dom.attributes.get("href", "")))
    ]
    for address in sorted({*linked, *situation.visited} - {situation.url}):
        yield Candidate(Action("goto", text=address), None, GOTO / (1 + len(linked)))
    if situation.can_go_back:
        yield Candidate(Action("go_back"), None, GO_BACK)


def local_address(href: str) -> str:
    """Write an address as rows do: path and query without the seed; "" for anything else."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc or not parts.path.startswith("/"):
        return ""
    query = "&".join(
        item for item in parts.query.split("&") if item and not item.startswith("seed=")
    )
    return f"{parts.path}?{query}" if query else parts.path


def _typing(node: Node, element: Element, situation: Situation, rng: random.Random) -> Action:
    can_enter = node.role == "searchbox" or element.dom.is_in_form
    texts = _texts(node, element, situation)
    text = texts(rng)
    return Action("type", node.id, text, is_entered=can_enter and rng.random() < 0.3)


def _texts(node: Node, element: Element, situation: Situation) -> Callable[[random.Random], str]:
    attributes = element.dom.attributes
    suggestions = [text for text in attributes.get("data-suggest", "").split("|") if text]
    kind = attributes.get("type", "text")
    if suggestions:
        return lambda rng: rng.choice(suggestions)
    if node.role == "spinbutton" or kind == "number" or attributes.get("inputmode") == "numeric":
        return lambda rng: str(rng.choice([*range(1, 13), rng.randint(13, 60)]))
    if kind == "date":
        return lambda rng: f"2024-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    if kind == "email":
        return lambda rng: (
            rng.choice(situation.words).lower() + rng.choice(["@mail.org", "@post.net", ""])
        )
    goal = [first or second for first, second in _QUOTED.findall(situation.objective)]
    goal += _NAME.findall(situation.objective)[1:]
    shown = [name for other in situation.page.nodes for name in _NAME.findall(other.name)]
    pools = [pool for pool in (goal, goal, shown, list(situation.words)) if pool]
    return lambda rng: rng.choice(rng.choice(pools))
