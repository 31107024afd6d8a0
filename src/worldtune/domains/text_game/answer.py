"""What an answer means: from the JSON that a model wrote to the changes that it states.

A difference is an object with the keys ``modified`` (list), ``removed`` (list of uuids) and
``score`` (object). ``modified`` holds, in any mix, whole objects as the paper writes them, objects
in short form ``[uuid, name, type, {properties}, [content]]``, and single properties
``[uuid, property, value]`` (``[uuid, property]`` where it goes away). A whole state is an object
with ``objects`` and ``score``, or the paper's ``game_state`` list whose last element is the score.
In short form a name stands without its " (ID: n)" and content may be given by uuid. Anything else
is unreadable: one malformed entry makes the answer worthless, so that formats are learnt whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from worldtune.domains.text_game.literals import read_object
from worldtune.domains.text_game.short import long_name, long_object, long_value
from worldtune.domains.text_game.spans import entry_spans
from worldtune.domains.text_game.state import (
    ABSENT,
    KEYS,
    Changes,
    Object,
    State,
    diff,
    make_state,
)

MAX_ENTRIES = 512
"""Answers with more entries are unreadable: far beyond any game, and scoring stays bounded."""

PROPERTY_ENTRY = (2, 3)
OBJECT_ENTRY = 5


class _MalformedError(ValueError):
    """An answer that is JSON but no difference and no state."""


def read_changes(text: str, before: State) -> Changes | None:
    """The changes that a text states; None if it cannot be read. Never raises."""
    found = read_object(text)
    if found is None:
        return None
    try:
        return _changes(found[0], before)
    except _MalformedError:
        return None


def item_spans(text: str) -> list[tuple[int, int]]:
    """Character spans of the entries of a difference; none where they cannot be told apart."""
    found = read_object(text)
    if found is None or not _is_difference(found[0]):
        return []
    value, start, end = found
    spans = entry_spans(text, start, end)
    stated = sum(len(value[key]) for key in ("modified", "removed", "score"))
    return spans if len(spans) == stated else []


def _is_difference(value: Mapping[str, Any]) -> bool:
    return (
        isinstance(value.get("modified"), list)
        and isinstance(value.get("removed"), list)
        and isinstance(value.get("score"), dict)
    )


def _changes(value: Mapping[str, Any], before: State) -> Changes:
    if _is_difference(value):
        if sum(len(value[key]) for key in ("modified", "removed", "score")) > MAX_ENTRIES:
            raise _MalformedError("too many entries")
        return _difference(value, before)
    return diff(before, _whole_state(value, before))


def _difference(value: Mapping[str, Any], before: State) -> Changes:
    properties, objects = _split(value["modified"])
    names = _names_after(before, properties, objects)
    return Changes(
        modified=tuple(
            (entry[0], entry[1], long_value(entry[0], entry[1], entry[2], names))
            if len(entry) == max(PROPERTY_ENTRY)
            else (entry[0], entry[1], ABSENT)
            for entry in properties
        ),
        added=tuple(_object(entry, names) for entry in objects),
        removed=tuple(map(_uuid, value["removed"])),
        score=tuple(value["score"].items()),
    )


def _split(entries: Iterable[Any]) -> tuple[list[list[Any]], list[Any]]:
    """Entries about one property, and entries about a whole object."""
    properties, objects = [], []
    for entry in entries:
        if isinstance(entry, list) and len(entry) in PROPERTY_ENTRY:
            _uuid(entry[0])
            if not isinstance(entry[1], str):
                raise _MalformedError("a property is named by a text")
            if entry[1] == "contains":
                _check_content(entry[-1])
            properties.append(entry)
        else:
            objects.append(entry)
    return properties, objects


def _whole_state(value: Mapping[str, Any], before: State) -> State:
    entries, score = value.get("objects"), value.get("score")
    if isinstance(value.get("game_state"), list) and value["game_state"]:
        *entries, score = value["game_state"]
    if not isinstance(entries, list) or not isinstance(score, dict) or len(entries) > MAX_ENTRIES:
        raise _MalformedError("neither a difference nor a state")
    names = _names_after(before, (), entries)
    return make_state([_object(entry, names) for entry in entries], {**before.score, **score})


def _names_after(
    before: State, properties: Iterable[Sequence[Any]], objects: Iterable[Any]
) -> dict[int, str]:
    """The full name of every object that the answer may refer to by its uuid."""
    names = {uuid: str(thing["name"]) for uuid, thing in before.objects.items()}
    for entry in objects:
        if isinstance(entry, list) and len(entry) == OBJECT_ENTRY and isinstance(entry[1], str):
            names[_uuid(entry[0])] = long_name(entry[0], entry[1])
        elif isinstance(entry, dict) and isinstance(entry.get("name"), str):
            names[_uuid(entry.get("uuid"))] = entry["name"]
    for entry in properties:
        if entry[1] == "name" and isinstance(entry[-1], str):
            names[entry[0]] = long_name(entry[0], entry[-1])
    return names


def _object(entry: Any, names: Mapping[int, str]) -> Object:
    if isinstance(entry, list) and len(entry) == OBJECT_ENTRY:
        _check_object(*entry)
        return long_object(entry, names)
    if not isinstance(entry, dict):
        raise _MalformedError("an entry is neither an object nor a property")
    uuid = _uuid(entry.get("uuid"))
    thing = {"name": names.get(uuid, ""), "type": "", **entry}
    _check_object(*(thing.get(key) for key in ("uuid", "name", "type", "properties", "contains")))
    return {key: thing[key] for key in KEYS}


def _check_object(uuid: Any, name: Any, kind: Any, properties: Any, contains: Any) -> None:
    _uuid(uuid)
    is_good = isinstance(name, str) and isinstance(kind, str) and isinstance(properties, dict)
    if not is_good:
        raise _MalformedError("an object lacks its name, type or properties")
    _check_content(contains)


def _check_content(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(child, str | int) for child in value):
        raise _MalformedError("content is a list of names and uuids")


def _uuid(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _MalformedError("a uuid is a whole number")
    return value
