"""The states of a raw row: lists of objects and score records from anywhere, checked and written.

Nothing here trusts its input: types, uuids, nesting and numbers are looked at before anything is
compared. Fields of an object beyond the five known ones are left out, and so are keys of a score
record beyond its three.
"""

from collections.abc import Mapping
from typing import Any

from worldtune.domains.text_game.state import PLAIN, Object, Score, canonical_json
from worldtune.ingestion.rows import RowFault, check_encoding

MAX_DEPTH = 16
"""Deepest nesting of a property; games need about three levels."""

_SCORE_TYPES = {"score": (int, float), "gameOver": (bool,), "gameWon": (bool,)}


def read_objects(raw: Mapping[str, Any], name: str) -> list[Object]:
    """The objects of a state, each with its five keys in their order. Raises RowFault."""
    entries = raw.get(name)
    if not isinstance(entries, list | tuple) or not entries:
        found = "absent" if entries is None else f"of type {type(entries).__name__}"
        found = "empty" if isinstance(entries, list | tuple) else found
        raise RowFault("missing_state", f"{name} is {found}; expected a list of objects")
    objects = [_object(entry, f"{name}[{index}]") for index, entry in enumerate(entries)]
    seen: set[int] = set()
    for thing in objects:
        if thing["uuid"] in seen:
            raise RowFault("duplicate_uuid", f"{name}: uuid {thing['uuid']} occurs twice")
        seen.add(thing["uuid"])
    return objects


def _object(entry: Any, place: str) -> Object:
    """An object with its five keys in their order. Raises RowFault."""
    if not isinstance(entry, dict):
        raise _malformed(place, f"is of type {type(entry).__name__}; expected an object")
    uuid, name, kind = entry.get("uuid"), entry.get("name"), entry.get("type")
    properties, contains = entry.get("properties"), entry.get("contains")
    if not isinstance(uuid, int) or isinstance(uuid, bool) or not 0 <= uuid < 2**31 - 1:
        raise _malformed(place, f"has uuid {str(uuid)[:40]!r}; expected a count below 2**31")
    if not isinstance(name, str) or not name.strip():
        raise _malformed(place, f"has name {str(name)[:40]!r}; expected text")
    if not isinstance(kind, str):
        raise _malformed(place, f"has type {str(kind)[:40]!r}; expected text")
    _check_properties(properties, place)
    if not isinstance(contains, list | tuple) or not all(isinstance(it, str) for it in contains):
        raise _malformed(place, "has a content that is no list of names")
    return {
        "name": name,
        "uuid": uuid,
        "type": kind,
        "properties": properties,
        "contains": list(contains),
    }


def _check_properties(properties: Any, place: str) -> None:
    if not isinstance(properties, dict):
        raise _malformed(place, f"has properties of type {type(properties).__name__}")
    for name in properties:
        if not isinstance(name, str) or name in PLAIN:
            raise _malformed(place, f"has a property called {str(name)[:40]!r}")
    level = [value for value in properties.values() if isinstance(value, dict | list | tuple)]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list | tuple)
        ]
    raise _malformed(place, f"has a property that is nested deeper than {MAX_DEPTH} levels")


def _malformed(place: str, found: str) -> RowFault:
    return RowFault("malformed_object", f"{place} {found}")


def read_score(raw: Mapping[str, Any], name: str) -> Score:
    """A score record with its three keys in their order. Raises RowFault."""
    record = raw.get(name)
    if not isinstance(record, dict):
        found = "absent" if record is None else f"of type {type(record).__name__}"
        raise RowFault("missing_state", f"{name} is {found}; expected a score record")
    for key, types in _SCORE_TYPES.items():
        value = record.get(key)
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise RowFault("missing_state", f"{name}.{key} is {str(value)[:40]!r}")
    return {key: record[key] for key in _SCORE_TYPES}


def json_columns(
    before: list[Object],
    middle: list[Object] | None,
    after: list[Object],
    *,
    scores: tuple[Score, Score],
) -> dict[str, str]:
    """The states and scores as canonical JSON; equal texts are one text, which saves memory."""
    state = _json(before, "objects")
    action_state = "" if middle is None else _json(middle, "action_objects")
    next_state, score = _json(after, "next_objects"), _json(scores[0], "score")
    next_score = _json(scores[1], "next_score")
    action_state = state if action_state == state else action_state
    next_state = next((text for text in (state, action_state) if text == next_state), next_state)
    return {
        "state": state,
        "action_state": action_state,
        "next_state": next_state,
        "score": score,
        "next_score": score if next_score == score else next_score,
    }


def _json(value: Any, name: str) -> str:
    try:
        text = canonical_json(value)
    except ValueError as error:
        raise RowFault("not_finite", f"{name} holds a number that JSON cannot hold") from error
    except TypeError as error:
        raise RowFault("malformed_object", f"{name}: {str(error)[:80]}") from error
    check_encoding(text)
    return text
