"""The objects of a state as a tree: who contains whom, by the names in ``contains``.

States come from data: names may repeat, contain each other in a circle or mean nothing. Every
object has exactly one place in the outline all the same, and every mention that is not its place is
told as such.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from worldtune.domains.text_game.state import Object


@dataclass(frozen=True)
class Place:
    """One line of the outline.

    thing: the object that stands here; None for a mention of one that stands elsewhere, or of none
    at all (``is_known`` tells which).
    """

    depth: int
    name: str
    thing: Object | None
    is_known: bool = True


def outline(objects: Sequence[Object]) -> list[Place]:
    """Every object once, containers before their content, objects that nobody contains first."""
    named: dict[str, list[Object]] = {}
    for thing in objects:
        named.setdefault(thing["name"], []).append(thing)
    contained = {name for thing in objects for name in thing["contains"]}
    seen: set[int] = set()
    places: list[Place] = []
    for root in sorted(objects, key=lambda thing: thing["name"] in contained):
        if root["uuid"] not in seen:
            places += _below(root["name"], named, seen)
    return places


def _below(root: str, named: Mapping[str, Sequence[Object]], seen: set[int]) -> Iterator[Place]:
    """The places under a name, itself included; adds to ``seen``."""
    stack = [(0, root)]
    while stack:
        depth, name = stack.pop()
        thing = next((other for other in named.get(name, ()) if other["uuid"] not in seen), None)
        yield Place(depth, name, thing, is_known=name in named)
        if thing is not None:
            seen.add(thing["uuid"])
            stack += [(depth + 1, inner) for inner in reversed(thing["contains"])]
