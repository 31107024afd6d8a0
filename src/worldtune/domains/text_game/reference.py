"""The paper's layout for pretrained language models: rules, two worked examples, answer marker.

One user message. Order of the blocks, the keys of the answer and its marker are the paper's
(section 4.1 and its appendix); the wording is ours, and states are written as JSON. The worked
examples come from one game, never the one that is asked about, or from a user's own clone.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from worldtune.contracts import Message, Row
from worldtune.domains.text_game.examples import Example
from worldtune.domains.text_game.state import (
    Object,
    State,
    diff,
    normal,
    states_of,
)

MARKER = "The final answer is:"

_INTRODUCTION = """\
You simulate a text game. Given the state of the game as JSON and an action, decide the state that \
follows, the score included.
New objects get uuids counting up from the UUID base that is given.
"""
_DIFFERENCE = """\
Answer with a JSON object of three keys: "modified", the list of all objects that are new or \
changed, each written whole as it is afterwards ([] if there is none); "removed", the list of the \
uuids of objects that cease to exist; "score", an object with "score", "gameOver" and "gameWon", \
or {} if the score stays as it is.
"""
_STATE = """\
Answer with a JSON object of one key: "game_state", the list of all objects as they are \
afterwards, and last the score, an object with "score", "gameOver" and "gameWon".
"""
_MODES = {
    "full": "The state changes by the action and then by the passing of time (a tick).\n",
    "action": "Predict what the action alone does; time does not pass.\n",
    "tick": "The action is done already. Predict what the passing of time (one tick) does.\n",
    "score": "The objects after the action are given. Predict the score record alone.\n",
}
_EXAMPLE_GAME = "Here is an example game, with a change by the action and a change by time."


def prompt(row: Row, *, mode: str, answer: str, example: Example | None) -> Sequence[Message]:
    """One user message; ``example`` is shown where there is one."""
    parts = [_INTRODUCTION, _DIFFERENCE if answer == "difference" else _STATE, _MODES[mode]]
    if example is not None:
        parts += _example_blocks(example, mode, answer)
    parts.append("Now the game to simulate.")
    parts += _rule_blocks(row["task_desc"], row["rules"])
    parts.append(_question(row, mode))
    parts.append(f"Think first if that helps. Begin the answer with: {MARKER}")
    return (Message("user", "\n".join(parts)),)


def _example_blocks(example: Example, mode: str, answer: str) -> list[str]:
    blocks = [_EXAMPLE_GAME, *_rule_blocks(example.task_desc, example.rules)]
    titles = "Example 1, a change by the action:", "Example 2, a change by time:"
    for title, row in zip(titles, example.rows, strict=True):
        before, after = states_of(row, mode)
        text = write_difference(before, after) if answer == "difference" else write_state(after)
        blocks += [title, _question(row, mode), f"The expected answer:\n{text}"]
    return blocks


def _rule_blocks(task_desc: str, rules: str) -> list[str]:
    blocks = [f"The task of the game:\n{task_desc}"]
    said: Mapping[str, str] = json.loads(rules) if rules else {}
    titles = {"objects": "objects", "actions": "actions", "score": "score"}
    blocks += [
        f"The rules of its {title}:\n{said[key].strip()}"
        for key, title in titles.items()
        if said.get(key)
    ]
    return blocks


def _question(row: Row, mode: str) -> str:
    """The state, the UUID base and the action; for the score also the state before the action."""
    before, _ = states_of(row, mode)
    earlier, _ = states_of(row, "full")
    start = f"The state before the action:\n{_state_json(earlier)}\n" if mode == "score" else ""
    return (
        f"{start}The state of the game:\n{_state_json(before)}\n"
        f"The current game UUID base is {row['uuid_base']}\n"
        f"The action to take is: {row['action']}"
    )


def _state_json(state: State) -> str:
    return json.dumps({"game_state": _state_list(state)}, ensure_ascii=False)


def _state_list(state: State) -> list[Any]:
    return [*state.objects.values(), dict(state.score)]


def write_difference(before: State, after: State) -> str:
    """The step as the paper's answer: whole objects, and {} where the score stays."""
    changes = diff(before, after)
    modified = [
        thing
        for uuid, thing in after.objects.items()
        if uuid not in before.objects or _facts(thing) != _facts(before.objects[uuid])
    ]
    return json.dumps(
        {
            "modified": modified,
            "removed": list(changes.removed),
            "score": dict(after.score) if changes.score else {},
        },
        ensure_ascii=False,
    )


def _facts(thing: Object) -> str:
    """Equal for objects that the paper's code takes for equal: their content has no order."""
    return normal({**thing, "contains": sorted(thing["contains"])})


def write_state(after: State) -> str:
    """The whole state as the paper lists it."""
    return json.dumps({"game_state": _state_list(after)}, ensure_ascii=False)
