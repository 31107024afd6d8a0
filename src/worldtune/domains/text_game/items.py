"""What a difference of two states consists of, and how each part is written as HTML.

An item is one thing that can be right or wrong by itself (see ``state``). Values are written as
JSON, so that the text "5" and the number 5 look different; of content and of nested values only the
part that changes is shown. Everything is escaped and bounded in length.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from worldtune.domains.fragment import text
from worldtune.domains.text_game.state import ABSENT, Changes, Object, State, normal

MAX_PARTS = 24
"""Properties of one object, or parts of one value, that are shown."""

MAX_VALUE_CHARS = 120
_ARROW = '<span class="sr"> becomes </span><span aria-hidden="true"> &rarr; </span>'


@dataclass(frozen=True)
class Item:
    """One thing that can be right or wrong.

    kind: changed, added, removed or scored. uuid: the object, None for the score. name: the
    property or the key, "" for whole objects. value: the new value, or the added object.
    """

    kind: str
    uuid: int | None
    name: str = ""
    value: Any = None

    @property
    def place(self) -> tuple[str, int | None, str]:
        """What the item is about."""
        return self.kind, self.uuid, self.name


def items_of(changes: Changes) -> dict[str, Item]:
    """The items by their identity (a text of ``Changes.items``), in the order of the changes."""
    single = [
        *((Changes(modified=(entry,)), Item("changed", *entry)) for entry in changes.modified),
        *((Changes(added=(it,)), Item("added", it["uuid"], value=it)) for it in changes.added),
        *((Changes(removed=(uuid,)), Item("removed", uuid)) for uuid in changes.removed),
        *((Changes(score=(entry,)), Item("scored", None, *entry)) for entry in changes.score),
    ]
    return {key: item for change, item in single for key in change.items}


def item_html(item: Item, before: State, *, rival: Object | None = None) -> str:
    """One item; of an added object, what its rival (wrong or true in its place) has otherwise."""
    if item.kind == "added":
        return f"<code>{_property('added')} {_added_html(item.value, rival)}</code>"
    if item.kind == "removed":
        return f"<code>{_property('removed')}</code>"
    known = before.score if item.uuid is None else before.properties.get(item.uuid, {})
    change = _change_html(item.name, known.get(item.name, ABSENT), item.value)
    return f"<code>{_property(item.name)} {change}</code>"


def pairs_html(pairs: Mapping[str, Any], *, differing: Iterable[str] = ()) -> str:
    """Properties and their values in one line, the differing ones set apart."""
    tags = dict.fromkeys(differing, '<span class="differs">')
    shown = [
        f"{tags.get(name, '<span>')}<i>{text(name)}</i> {_value_html(pairs[name])}</span>"
        for name in list(pairs)[:MAX_PARTS]
    ]
    return _joined(shown, total=len(pairs))


def _property(name: str) -> str:
    return f'<b class="property">{text(name)}</b>'


def _added_html(thing: Object, rival: Object | None) -> str:
    mine = _described(thing)
    theirs = mine if rival is None else _described(rival)
    differing = [name for name in mine if not _is_same(mine[name], theirs.get(name, ABSENT))]
    untold = {"name"} if thing["contains"] else {"name", "contains"}
    told = {name: mine[name] for name in mine if name in differing or name not in untold}
    return pairs_html(told, differing=differing)


def _described(thing: Object) -> dict[str, Any]:
    plain = {name: thing[name] for name in ("name", "type")}
    return {**plain, **thing["properties"], "contains": sorted(thing["contains"], key=str)}


def _change_html(name: str, old: Any, new: Any) -> str:
    if name == "contains" and _are_names(old) and _are_names(new):
        return _content_html(old, new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _nested_html(old, new)
    return f"{_value_html(old)}{_ARROW}{_value_html(new)}"


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _content_html(old: Iterable[str], new: Iterable[str]) -> str:
    """What an object contains less and more than before."""
    before, after = Counter(old), Counter(new)
    parts = [("&minus;", name) for name in (before - after).elements()]
    parts += [("+", name) for name in (after - before).elements()]
    return _joined(
        [f"<span>{sign} {text(name)}</span>" for sign, name in parts[:MAX_PARTS]], total=len(parts)
    )


def _nested_html(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The keys of a nested value that change."""
    values = [(key, old.get(key, ABSENT), new.get(key, ABSENT)) for key in {**old, **new}]
    parts = [part for part in values if not _is_same(*part[1:])]
    shown = [
        f"<span><i>{text(key)}</i> {_value_html(was)}{_ARROW}{_value_html(becomes)}</span>"
        for key, was, becomes in parts[:MAX_PARTS]
    ]
    return _joined(shown, total=len(parts))


def _joined(parts: Iterable[str], *, total: int) -> str:
    rest = total - MAX_PARTS
    return ", ".join(parts) + (f", <em>and {rest:,} more</em>" if rest > 0 else "")


def _is_same(one: Any, other: Any) -> bool:
    if one is ABSENT or other is ABSENT:
        return one is other
    return normal(one) == normal(other)


def _value_html(value: Any) -> str:
    if value is ABSENT:
        return "<em>no value</em>"
    return text(json.dumps(value, ensure_ascii=False), limit=MAX_VALUE_CHARS)
