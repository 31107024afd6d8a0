"""A tiny game as files would tell it: switching a lamp on wins it."""

import json
from typing import Any

ROOM = {
    "name": "room (ID: 1)",
    "uuid": 1,
    "type": "World",
    "properties": {"isContainer": True},
    "contains": ["agent (ID: 0)", "lamp (ID: 2)"],
}
AGENT = {"name": "agent (ID: 0)", "uuid": 0, "type": "Agent", "properties": {}, "contains": []}
LAMP = {
    "name": "lamp (ID: 2)",
    "uuid": 2,
    "type": "Lamp",
    "properties": {"on": False, "heat": 20.5, "plug": {"wall": [None, "socket"]}},
    "contains": [],
}
NOT_WON = {"score": 0, "gameOver": False, "gameWon": False}
WON = {"score": 1, "gameOver": True, "gameWon": True}


def objects(**properties: Any) -> list[dict[str, Any]]:
    """The three objects; ``properties`` are those of the lamp."""
    lamp = {**LAMP, "properties": {**LAMP["properties"], **properties}}
    return [ROOM, AGENT, lamp]


def raw(**changes: Any) -> dict[str, Any]:
    """A raw row: the action switches the lamp on, the tick warms it, the score tells."""
    return {
        "source": "games",
        "game": "lamp",
        "seed": 7,
        "step": 3,
        "rollout": "gold",
        "task_desc": "Switch the lamp on.",
        "rules": "",
        "objects": objects(),
        "action_objects": objects(on=True),
        "next_objects": objects(on=True, heat=21.0),
        "score": NOT_WON,
        "next_score": WON,
        "uuid_base": 3,
        "action": "switch on lamp (ID: 2)",
        "undetermined": [],
        "reasoning": "",
        "split": None,
        "licence": "MIT",
        **changes,
    }


def state(things: list[dict[str, Any]], last_action: str) -> dict[str, Any]:
    """A state as GPT-simulator writes it."""
    return {
        "observation": "You see a lamp.",
        "look": "",
        "inventory": "",
        "taskDesc": "Switch the lamp on.",
        "lastAction": last_action,
        "objects": things,
        "max_UUID": 3,
    }


def simulator_row(number: int = 0, *, game: str = "lamp", **changes: Any) -> dict[str, Any]:
    """A line of GPT-simulator; rows of different numbers start from different states."""
    action = "switch on lamp (ID: 2)"
    return {
        "game": game,
        "state_id": number,
        "current_state": state(objects(number=number), "look around"),
        "action_state": state(objects(number=number, on=True), action),
        "tick_state": state(objects(number=number, on=True, heat=21.0), action),
        "current_score_state": NOT_WON,
        "next_score_state": WON,
        **changes,
    }


def still_row(number: int, **changes: Any) -> dict[str, Any]:
    """A line of GPT-simulator in which nothing changes."""
    same = state(objects(number=number, still=True), "look")
    states = dict.fromkeys(("current_state", "action_state", "tick_state"), same)
    return simulator_row(number, **{**states, "next_score_state": NOT_WON, **changes})


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


PROMPT = """You simulate games.
Example game task description:
Wash the plate.
Here are the descriptions of all game objects properties in the example game:
plates
Here is the game state:
{'game_state': []}

The current game UUID base is 99
The action to take is: wash
Here is the game that you need to simulate:
Task Description:
Switch the lamp on.
Here are the descriptions of all game objects properties:
Object: Lamp

A lamp is on or off.
Here are the descriptions of all game actions:
switch on: it is on then
Here is a description of the game score function:
1 point for light
Here is the game state:
{'game_state': []}

The current game UUID base is 12
The action to take is:
switch on lamp (ID: 2)
"""


def game_state(things: list[dict[str, Any]], score: dict[str, Any]) -> str:
    return json.dumps({"game_state": [*things, score]})


def thuml_row(number: int = 0, *, truth: str = "", **changes: Any) -> dict[str, Any]:
    """A row of the paper's data; ``truth`` replaces the state after the step."""
    after = game_state(objects(number=number, on=True, heat=21.0), WON)
    return {
        "data_source": "llm_simulator",
        "prompt": [{"role": "user", "content": PROMPT}],
        "ability": "next state prediction",
        "reward_model": {"style": "rule", "ground_truth": truth or after},
        "extra_info": {
            "split": "train",
            "index": number,
            "data_state": game_state(objects(number=number), NOT_WON),
            "data_action": "switch on lamp (ID: 2)",
        },
        **changes,
    }
