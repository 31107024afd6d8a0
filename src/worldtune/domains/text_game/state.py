"""The state of a text game, and what two states differ in.

A state is a list of objects ``{"name", "uuid", "type", "properties", "contains"}`` (ByteSized32-SP;
``contains`` holds names) and a score record ``{"score", "gameOver", "gameWon"}``. Objects are
compared by uuid. What differs is a set of *items*, each of which can be right or wrong by itself:
one property of one object, one added or removed object, one key of the score. The name, the type
and the content of an object count as properties called "name", "type" and "contains". Content is
compared by uuid and without order, so that a wrong name is one wrong item and not two. This module
knows nothing of prompts, answers or rewards.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from worldtune.contracts import Row

Object = Mapping[str, Any]
Score = Mapping[str, Any]

KEYS = ("name", "uuid", "type", "properties", "contains")
"""The keys of an object, in their canonical order."""
PLAIN = ("name", "type", "contains")
"""Keys beside ``properties`` that can change; no property may be called like them."""

# Encoders are made once: json.dumps with options makes one for every call.
_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_write_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_UUID_IN_NAME = re.compile(r" \(ID: (\d{1,9})\)\Z")


class Absent:
    """The value of a property that an object does not have (null is a value)."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True)
class State:
    """A moment of a game: objects by uuid in their order, and the score record."""

    objects: Mapping[int, Object]
    score: Score

    @cached_property
    def properties(self) -> Mapping[int, Mapping[str, Any]]:
        """Everything that can change about each object: properties, name, type and content."""
        return {uuid: properties_of(thing) for uuid, thing in self.objects.items()}


@dataclass(frozen=True)
class Changes:
    """A difference of two states, true or predicted.

    modified: (uuid, property, new value), ABSENT where the property goes away. added: whole
    objects. removed: uuids. score: (key, new value).
    """

    modified: tuple[tuple[int, str, Any], ...] = ()
    added: tuple[Object, ...] = ()
    removed: tuple[int, ...] = ()
    score: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def items(self) -> frozenset[str]:
        """The items as text; equal changes have equal items."""
        return frozenset(
            (
                *(_item(uuid, name, value) for uuid, name, value in self.modified),
                *map(_added, self.added),
                *(f"removed {uuid}" for uuid in self.removed),
                *(f"score.{name} = {normal(value)}" for name, value in self.score),
            )
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.modified or self.added or self.removed or self.score)


def canonical_json(value: Any) -> str:
    """Compact JSON; keys stay in their order. Raises ValueError for NaN and infinity."""
    return _write(value)


def normal(value: Any) -> str:
    """A value as text that is equal for equal values: 5 and 5.0 are, True and 1 are not."""
    return _write_sorted(_whole(value))


def _whole(value: Any) -> Any:
    """Whole floats as integers, all the way down."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _whole(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(inner) for inner in value]
    return value


def properties_of(thing: Object) -> dict[str, Any]:
    """Everything that can change about an object."""
    return {
        **thing["properties"],
        "name": thing["name"],
        "type": thing["type"],
        "contains": list(thing["contains"]),
    }


def _value(name: str, value: Any) -> str:
    """The value of a property as text that is equal for equal values."""
    if value is ABSENT:
        return "nothing"
    if name == "contains" and isinstance(value, list | tuple):
        return normal(sorted(map(_identity, value)))
    return normal(value)


def _is_same(name: str, first: Any, second: Any) -> bool:
    """Whether a property has equal values; most are plain and of one type."""
    if type(first) is type(second) and isinstance(first, str | int | float):
        return bool(first == second)
    if name == "contains" and first == second:
        return True
    return _value(name, first) == _value(name, second)


def _identity(name: Any) -> str:
    """What a name in a content list stands for: the uuid at its end, else the whole name."""
    match = _UUID_IN_NAME.search(name) if isinstance(name, str) else None
    return str(int(match[1])) if match else f"={name}"


def _item(uuid: int, name: str, value: Any) -> str:
    return f"{uuid}.{name} = {_value(name, value)}"


def _added(thing: Object) -> str:
    properties = properties_of(thing)
    facts = ", ".join(f"{name} = {_value(name, properties[name])}" for name in sorted(properties))
    return f"added {thing['uuid']}: {facts}"


def make_state(objects: Iterable[Object], score: Score) -> State:
    """A state from a list of objects."""
    return State({thing["uuid"]: thing for thing in objects}, score)


@lru_cache(maxsize=4096)
def parse_state(objects: str, score: str) -> State:
    """A state from the canonical JSON texts of a table row (cached: read, do not change)."""
    return make_state(json.loads(objects), json.loads(score))


def diff(before: State, after: State) -> Changes:
    """What differs, in the order of ``after``; removed objects in the order of ``before``."""
    modified: list[tuple[int, str, Any]] = []
    for uuid, properties in after.properties.items():
        old = before.properties.get(uuid)
        if old is not None:
            modified += _modified(uuid, old, properties)
    return Changes(
        modified=tuple(modified),
        added=tuple(thing for uuid, thing in after.objects.items() if uuid not in before.objects),
        removed=tuple(uuid for uuid in before.objects if uuid not in after.objects),
        score=tuple(
            (key, value)
            for key, value in after.score.items()
            if key not in before.score or normal(before.score[key]) != normal(value)
        ),
    )


def _modified(
    uuid: int, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterable[tuple[int, str, Any]]:
    for name, value in new.items():
        if not _is_same(name, old.get(name, ABSENT), value):
            yield uuid, name, value
    for name in old:
        if name not in new:
            yield uuid, name, ABSENT


def effective(changes: Changes, before: State) -> Changes:
    """The difference that stated changes make to a state.

    Statements of what is so already are dropped, the last of several about one property counts, and
    an added object whose uuid exists replaces that object. What cannot be applied stays as stated,
    an item that no true difference has: an invention costs precision.
    """
    kept: dict[tuple[int, str], Any] = {}
    removed = dict.fromkeys(changes.removed)
    added: dict[int, Object] = {}
    for uuid, name, value in changes.modified:
        kept[uuid, name] = value
    for thing in changes.added:
        uuid = thing["uuid"]
        if uuid in before.objects:
            whole = _modified(uuid, before.properties[uuid], properties_of(thing))
            kept.update({(uuid, name): value for _, name, value in whole})
        else:
            added[uuid] = thing
    score = dict(changes.score)
    return Changes(
        modified=tuple(
            (*key, value) for key, value in kept.items() if _differs(key, value, before)
        ),
        added=tuple(added.values()),
        removed=tuple(removed),
        score=tuple(
            (key, value)
            for key, value in score.items()
            if key not in before.score or normal(before.score[key]) != normal(value)
        ),
    )


def _differs(key: tuple[int, str], value: Any, before: State) -> bool:
    uuid, name = key
    properties = before.properties.get(uuid)
    return properties is None or not _is_same(name, properties.get(name, ABSENT), value)


def apply(before: State, changes: Changes) -> State:
    """The state after changes; what cannot be applied is left out."""
    objects: dict[int, Object] = {
        uuid: thing for uuid, thing in before.objects.items() if uuid not in changes.removed
    }
    for uuid, name, value in changes.modified:
        if uuid in objects:
            objects[uuid] = _with_property(objects[uuid], name, value)
    objects.update({thing["uuid"]: thing for thing in changes.added})
    return State(objects, {**before.score, **dict(changes.score)})


def _with_property(thing: Object, name: str, value: Any) -> Object:
    if name in PLAIN:
        return {**thing, name: value}
    properties = {key: old for key, old in thing["properties"].items() if key != name}
    if value is not ABSENT:
        properties[name] = value
    return {**thing, "properties": properties}


def states_of(row: Row, mode: str) -> tuple[State, State]:
    """The states before and after that a mode asks about (section "modes" of the domain's page).

    full: the whole step. action: the action alone. tick: the world's own step after the action.
    score: the objects after the step are known, only the score is asked for.
    """
    start, end = ("state", "next_state")
    if mode == "action":
        end = "action_state"
    elif mode == "tick":
        start = "action_state"
    elif mode == "score":
        start = "next_state"
    score_after = row["next_score"] if mode in ("full", "score") else row["score"]
    return parse_state(row[start], row["score"]), parse_state(row[end], score_after)


def names_in(objects: Sequence[Object]) -> dict[str, int]:
    """Name of each object -> its uuid; the first of several with one name."""
    return {thing["name"]: thing["uuid"] for thing in reversed(objects)}
