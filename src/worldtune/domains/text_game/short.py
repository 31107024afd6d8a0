"""Objects in short form: ``[uuid, name, type, {properties}, [content]]``, without what repeats.

Names of the data end with their uuid, as in "kettle (ID: 4)"; the short name is "kettle". A name
that ends otherwise is written whole behind ``=``. Content is given by uuid where a name is that of
one object. Reading needs the names of the objects around; writing and reading are inverse.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from worldtune.domains.text_game.state import Object


def short_name(uuid: int, name: str) -> str:
    """A name without its uuid, or whole behind ``=``."""
    base = name.removesuffix(f" (ID: {uuid})")
    return base if base != name and not base.startswith("=") else f"={name}"


def long_name(uuid: int, name: str) -> str:
    """The full name behind a short one."""
    return name[1:] if name.startswith("=") else f"{name} (ID: {uuid})"


def short_object(thing: Object, uuids: Mapping[str, int]) -> list[Any]:
    """An object in short form; ``uuids`` gives the uuid of each name."""
    uuid = thing["uuid"]
    content = short_content(thing["contains"], uuids)
    return [
        uuid,
        short_name(uuid, thing["name"]),
        thing["type"],
        dict(thing["properties"]),
        content,
    ]


def long_object(entry: Sequence[Any], names: Mapping[int, str]) -> Object:
    """The object behind a short form; ``names`` gives the name of each uuid."""
    uuid, name, kind, properties, content = entry
    return {
        "name": long_name(uuid, name),
        "uuid": uuid,
        "type": kind,
        "properties": properties,
        "contains": long_content(content, names),
    }


def short_content(content: Sequence[str], uuids: Mapping[str, int]) -> list[Any]:
    """Names as uuids where they are known, in the order of the uuids, other names after them."""
    known = sorted(uuids[name] for name in content if name in uuids)
    return [*known, *(name for name in content if name not in uuids)]


def long_content(content: Sequence[Any], names: Mapping[int, str]) -> list[str]:
    """Uuids as names; one that is nobody's becomes a name that matches none."""
    return [
        name if isinstance(name, str) else names.get(name, f"nothing (ID: {name})")
        for name in content
    ]


def short_value(uuid: int, name: str, value: Any, uuids: Mapping[str, int]) -> Any:
    """The new value of a property as an entry states it."""
    if name == "name" and isinstance(value, str):
        return short_name(uuid, value)
    if name == "contains" and isinstance(value, list):
        return short_content(value, uuids)
    return value


def long_value(uuid: int, name: str, value: Any, names: Mapping[int, str]) -> Any:
    """The new value of a property behind what an entry states."""
    if name == "name" and isinstance(value, str):
        return long_name(uuid, value)
    if name == "contains" and isinstance(value, list):
        return long_content(value, names)
    return value
