"""Which changed lines could nobody have known? Pure functions.

On our own pages the page says so (``data-hidden``), and a word of the random vocabularies that
stands neither in the input nor in the source of the site gives a line away even where no mark was
set (a page that one comes back to, say). On foreign pages the second rule is all there is, for
every word.
"""

import functools
import re
from dataclasses import dataclass

from worldtune.domains.web.recorder.server import SITES
from worldtune.domains.web.recorder.snapshot import Page
from worldtune.domains.web.tree import Changes, Node

_WORD = re.compile(r"[^\W_]+")
_LIST = re.compile(r"(\w+): list\(`([^`]*)`\)")


@dataclass(frozen=True)
class Given:
    """What is known before the action: its words, and how elements then looked, by id."""

    words: frozenset[str]
    before: dict[int, Node]


def words_of(text: str) -> frozenset[str]:
    """The words and numbers of a text, as written."""
    return frozenset(_WORD.findall(text))


@functools.cache
def vocabulary() -> frozenset[str]:
    """Every word that the mini-sites may draw at random."""
    source = (SITES / "common.js").read_text("utf-8")
    return frozenset(word for _, words in _LIST.findall(source) for word in words.split())


@functools.cache
def fixed_words(site: str) -> frozenset[str]:
    """The words in the source of a mini-site: always there, whatever the seed."""
    sources = (path.read_text("utf-8") for path in sorted((SITES / site).glob("*.*")))
    return frozenset(word for source in sources for word in _WORD.findall(source))


def hidden_lines(page: Page, changes: Changes, given: Given, *, own_site: str | None) -> list[str]:
    """List the new and updated lines of ``page`` that the input does not determine.

    They stand in the order of ``changes``. ``own_site`` names the mini-site; it is None on a
    foreign page.
    """
    marked = {
        node.line: element.dom.is_hidden_content
        for node, element in zip(page.nodes, page.elements, strict=True)
    }
    nodes = {node.line: node for node in page.nodes}
    lines = (*changes.new, *changes.updated)
    if own_site is None:
        return [line for line in lines if not words_of(_content(nodes[line])) <= given.words]
    surprising = vocabulary() - fixed_words(own_site)
    return [
        line
        for line in lines
        if (marked[line] and _content_changed(nodes[line], given))
        or (words_of(_content(nodes[line])) & surprising) - given.words
    ]


def _content_changed(node: Node, given: Given) -> bool:
    """A known element of which only a state (checked, pressed...) changed is no surprise."""
    before = given.before.get(node.id)
    return before is None or _content(before) != _content(node)


def _content(node: Node) -> str:
    values = [value for key, value in node.attributes if key == "value"]
    return " ".join([node.name, *values])


def given_by(before: Page, *texts: str) -> Given:
    """What the input tells: the page before and other texts (objective, action, address)."""
    # Of a line only the content counts: an id 12 does not make a price of 12 known.
    contents = [_content(node) for node in before.nodes]
    known = frozenset[str]().union(*(words_of(text) for text in (*contents, *texts)))
    return Given(known, {node.id: node for node in before.nodes})
