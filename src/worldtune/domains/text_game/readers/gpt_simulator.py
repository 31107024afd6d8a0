"""Rows of ByteSized32-State-Prediction as GPT-simulator publishes them: one transition per line.

The action is the last one of the state after the tick; the state before remembers the action
before. Texts for players (observation, look, inventory) are not used, as in the paper. The
repository states no licence, so its rows are read from the user's copy and never shipped.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from worldtune.ingestion.rows import Format, Record, RowFault

LICENCE = "none stated"
STATES = ("current_state", "action_state", "tick_state")
SCORES = ("current_score_state", "next_score_state")


def convert(record: Record) -> Iterator[dict[str, Any] | RowFault]:
    """Yield the one row of a line. Raises RowFault where a state is missing."""
    values = record.values
    before, middle, after = (_state(values, name) for name in STATES)
    yield {
        "source": "gpt_simulator",
        "game": values.get("game"),
        "seed": 0,
        "step": values.get("state_id"),
        "rollout": "",
        "task_desc": before.get("taskDesc"),
        "rules": "",
        "objects": before.get("objects"),
        "action_objects": _objects(middle),
        "next_objects": after.get("objects"),
        "score": values.get(SCORES[0]),
        "next_score": values.get(SCORES[1]),
        "uuid_base": before.get("max_UUID"),
        "action": after.get("lastAction"),
        "undetermined": [],
        "reasoning": "",
        "split": None,
        "licence": LICENCE,
    }


def _state(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    state = values.get(name)
    if not isinstance(state, dict):
        found = "absent" if state is None else f"of type {type(state).__name__}"
        raise RowFault("missing_state", f"{name} is {found}; expected a state")
    return state


def _objects(state: Mapping[str, Any]) -> Any:
    """The objects after the action; this source always has them, so none is a fault."""
    if state.get("objects") is None:
        raise RowFault("missing_state", "action_state holds no objects")
    return state["objects"]


FORMAT = Format(
    kind="gpt_simulator", needs=(("game", "state_id", *STATES, *SCORES),), convert=convert
)
