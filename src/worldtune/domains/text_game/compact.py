"""The compact layout for small models: canonical JSON in short form, prompt and answer.

The prompt states the game and the action before the state, so that a causal model knows what it
reads for, and the action again after it, to start the answer. Task, rules and observation texts are
left out: a model trained on a game learns its rules, and the texts repeat the objects.
"""

import re
from typing import Any

from worldtune.contracts import Row
from worldtune.domains.text_game.short import short_object, short_value
from worldtune.domains.text_game.state import (
    ABSENT,
    Changes,
    State,
    canonical_json,
    names_in,
    states_of,
)

TOKEN_PATTERN = r"[\[\]{},]*\"[A-Za-z_]\w*\"[:,]?|-?\d+|\d| ?[A-Za-z_]+|[\[\]{},:\"]+|\s|."
"""A quoted word with the signs around it, a number, a word or a run of signs is one pre-token."""

_ID = re.compile(r" \(ID: (\d+)\)")


def prompt(row: Row, mode: str) -> str:
    """The game, the state and the action as one line of JSON."""
    before, _ = states_of(row, mode)
    action = _ID.sub(r" \1", str(row["action"]))
    asked: dict[str, Any] = {"game": str(row["game"]), "action": action}
    if mode != "full":
        asked["mode"] = mode
    if mode == "score":
        earlier, _ = states_of(row, "full")
        asked["before"] = _short_objects(earlier)
    asked["objects"] = _short_objects(before)
    asked["score"] = dict(before.score)
    asked["uuid_base"] = int(row["uuid_base"])
    asked["predict"] = action
    return f"{canonical_json(asked)}\n"


def _short_objects(state: State) -> list[Any]:
    uuids = names_in(list(state.objects.values()))
    return [short_object(thing, uuids) for thing in state.objects.values()]


def difference(changes: Changes, after: State) -> str:
    """The changes that lead to a state as JSON, one entry per item."""
    uuids = names_in(list(after.objects.values()))
    modified: list[Any] = [
        [uuid, name] if value is ABSENT else [uuid, name, short_value(uuid, name, value, uuids)]
        for uuid, name, value in changes.modified
    ]
    added = [short_object(thing, uuids) for thing in changes.added]
    return canonical_json(
        {
            "modified": modified + added,
            "removed": list(changes.removed),
            "score": dict(changes.score),
        }
    )


def whole_state(after: State) -> str:
    """The state after the step as JSON."""
    return canonical_json({"objects": _short_objects(after), "score": dict(after.score)})
