"""Writes the state of a game down as plain JSON values, the way of GPT-simulator.

Objects come in pre-order from the root, ``contains`` holds names. Tuples become lists, sets sorted
lists, keys that are objects their names, other objects their name or text. What JSON cannot say
(NaN, infinity), or what has no end (objects that hold one another), is refused.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

MAX_OBJECTS = 5_000
MAX_DEPTH = 20
"""Of nesting in a property."""

_PLAIN = (bool, int, float, str)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class ProtocolError(Exception):
    """The game lacks a part of the interface, or its state cannot be written down."""


def dump_objects(roots: list[Any], *, identify: Callable[[Any], int]) -> list[dict[str, Any]]:
    """The objects below (and including) ``roots``, each before what it contains.

    ``identify`` gives the uuid of an object.
    """
    dumped: list[dict[str, Any]] = []
    waiting = list(reversed(roots))
    while waiting:
        thing = waiting.pop()
        if len(dumped) == MAX_OBJECTS:
            raise ProtocolError(f"more than {MAX_OBJECTS:,} objects, or some that hold one another")
        content = contents(thing)
        dumped.append(
            {
                "name": name_of(thing),
                "uuid": identify(thing),
                "type": type(thing).__name__,
                "properties": _properties(thing),
                "contains": [name_of(inner) for inner in content],
            }
        )
        waiting.extend(reversed(content))
    return dumped


def dump_score(game: Any) -> dict[str, Any]:
    """The score record of a game."""
    score = getattr(game, "score", None)
    if not isinstance(score, int | float):
        raise ProtocolError(f"score is of type {type(score).__name__}; expected a number")
    if not hasattr(game, "gameOver"):
        raise ProtocolError("the game has no gameOver")
    return {
        "score": int(score) if isinstance(score, bool) else plain(score, "score"),
        "gameOver": bool(game.gameOver),
        "gameWon": bool(getattr(game, "gameWon", False)),
    }


def contents(thing: Any) -> list[Any]:
    """What an object contains."""
    inner = getattr(thing, "contains", None)
    if not isinstance(inner, list | tuple):
        raise ProtocolError(f"{name_of(thing)[:80]!r} has no list `contains`")
    return list(inner)


def name_of(thing: Any) -> str:
    """The name of an object."""
    name = getattr(thing, "name", None)
    if not isinstance(name, str):
        raise ProtocolError(f"an object of class {type(thing).__name__} has no name")
    return name


def plain(value: Any, place: str, depth: int = 0) -> Any:
    """A value as JSON has it. ``place`` names it in messages."""
    if depth > MAX_DEPTH:
        raise ProtocolError(f"{place} is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, float) and not math.isfinite(value):
        raise ProtocolError(f"{place} is {value}, which JSON cannot say")
    if isinstance(value, dict):
        return {_key(key): plain(inner, place, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, place, depth + 1) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(inner, place, depth + 1) for inner in value), key=json.dumps)
    return value if value is None or isinstance(value, _PLAIN) else _key(value)


def without_addresses(text: str) -> str:
    """Text without the addresses of objects, which differ from run to run."""
    return _ADDRESS.sub("", text)


def _properties(thing: Any) -> dict[str, Any]:
    properties = getattr(thing, "properties", None)
    if not isinstance(properties, dict):
        raise ProtocolError(f"{name_of(thing)[:80]!r} has no dictionary `properties`")
    return {
        _key(key): plain(value, f"property {_key(key)[:40]!r} of {name_of(thing)[:40]!r}")
        for key, value in properties.items()
    }


def _key(value: Any) -> str:
    """The name of an object, a class or a function; of anything else its text."""
    for attribute in ("name", "__name__"):
        name = getattr(value, attribute, None)
        if isinstance(name, str) and not isinstance(value, str):
            return name
    return without_addresses(str(value))
