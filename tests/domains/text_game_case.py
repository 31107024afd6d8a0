"""The text-game domain for the tests of the contract."""

import json
from collections.abc import Sequence
from itertools import product
from typing import Any

from tests.domains.case import Case, Strategy
from worldtune.config import TextGameTaskConfig
from worldtune.contracts import Row
from worldtune.domains.text_game.state import (
    Changes,
    canonical_json,
    diff,
    make_state,
    parse_state,
)

START = {"score": 0, "gameOver": False, "gameWon": False}
RULES = json.dumps({"objects": "Object: Pot", "actions": "heat: heats", "score": "One point."})


def thing(uuid: int, name: str, kind: str, content: Sequence[str] = (), **properties: Any) -> Any:
    return {
        "name": f"{name} (ID: {uuid})",
        "uuid": uuid,
        "type": kind,
        "properties": properties,
        "contains": list(content),
    }


ROOM = thing(1, "room", "World", ["agent (ID: 0)", "pot (ID: 2)", "egg (ID: 4)"])
AGENT = thing(0, "agent", "Agent")
POT = thing(2, "pot", "Pot", ["water (ID: 3)"], on=False, temp=20)
WATER = thing(3, "water", "Water", temp=20.0, wet=True)
EGG = thing(4, "egg", "Egg", fresh=True, wires={"end": [None, "pot (ID: 2)"]}, stage=None)
# A name that does not end with its uuid, one like a sign of the short form, and odd texts.
ODD = {**thing(5, "", "Odd"), "name": '=Bob\'s "box", {5}', "properties": {"text": "True: [1, 2]}"}}
BEFORE = [ROOM, AGENT, POT, WATER, EGG, ODD]


def changed(thing: Any, content: Sequence[str] | None = None, **properties: Any) -> Any:
    return {
        **thing,
        "properties": {**thing["properties"], **properties},
        "contains": thing["contains"] if content is None else list(content),
    }


def row(
    after: list[Any],
    action: str = "heat pot (ID: 2)",
    next_score: dict[str, Any] | None = None,
) -> Row:
    before = BEFORE
    score = next_score or START
    changes = diff(make_state(before, START), make_state(after, score))
    return {
        "source": "own",
        "game": "stove",
        "task_desc": "Cook the egg (ID: 4).",
        "rules": RULES,
        "state": canonical_json(before),
        "action_state": canonical_json(after),
        "next_state": canonical_json(after),
        "score": canonical_json(START),
        "next_score": canonical_json(score),
        "uuid_base": 6,
        "action": action,
        "changed_by": "none"
        if not (changes.modified or changes.added or changes.removed)
        else "action",
        "score_changed": score != START,
        "determined": True,
        "undetermined_items": [],
        "reasoning": "The pot {2} gets hot. So the final answer is: [] or {}, I think.",
    }


NEW = thing(6, "steam", "Steam", temp=100)
RENAMED = {**EGG, "name": "chick (ID: 4)", "type": "Chick"}
EMPTIED = changed(ROOM, ["agent (ID: 0)", "pot (ID: 2)"])
HATCHED = changed(ROOM, ["agent (ID: 0)", "pot (ID: 2)", "chick (ID: 4)"])
STEAMING = changed(POT, ["steam (ID: 6)", "water (ID: 3)"])
BROKEN = {**EGG, "properties": {"fresh": False}}
LOST = {"score": 1, "gameOver": True, "gameWon": False}
WON = {"score": 2, "gameOver": True, "gameWon": True}
ROWS = (
    row(BEFORE, "look"),
    row(BEFORE, "wait"),
    row([ROOM, AGENT, changed(POT, on=True, temp=45.5), changed(WATER, temp=45), EGG, ODD]),
    row([EMPTIED, changed(AGENT, ["egg (ID: 4)"]), POT, WATER, EGG, ODD], "take egg (ID: 4)"),
    row([changed(ROOM, ["pot (ID: 2)"]), AGENT, changed(POT, []), WATER, ODD], "drop pot (ID: 2)"),
    row([ROOM, AGENT, POT, WATER, BROKEN, changed(ODD, text="")], "break egg (ID: 4)", LOST),
    row(BEFORE, "win", WON),
    row(
        [HATCHED, AGENT, STEAMING, changed(WATER, wet=None), RENAMED, ODD, NEW], "boil pot (ID: 2)"
    ),
)
WRONG_SCORE = {"score": -1, "gameOver": None, "gameWon": None}
WRONG_EGG = {
    **thing(4, "stone", "Stone", ["nobody"]),
    "properties": {"fresh": -1, "wires": -1, "stage": -1},
}


def difference(modified: list[Any], removed: list[Any], score: dict[str, Any]) -> str:
    return json.dumps({"modified": modified, "removed": removed, "score": score})


WORST = {
    "difference": difference([WRONG_EGG], [0, 1, 2, 3, 5], WRONG_SCORE),
    "state": json.dumps(
        {
            "objects": [[4, "stone", "Stone", WRONG_EGG["properties"], ["nobody"]]],
            "score": WRONG_SCORE,
        }
    ),
}
UNPARSABLE = (
    "hello",
    "{}",
    "[]",
    "null",
    '{"modified": []}',
    '{"modified": [], "removed": []}',
    '{"modified": {}, "removed": [], "score": {}}',
    '{"modified": [[1]], "removed": [], "score": {}}',
    '{"modified": [{"name": "egg"}], "removed": [], "score": {}}',
    '{"modified": [], "removed": ["4"], "score": {}}',
    '{"modified": [[2, "temp", NaN]], "removed": [], "score": {}}',
    '<think>{"modified": [], "removed": [], "score": {}}</think>',
)


def stated(changes: Changes) -> list[Any]:
    """Every entry by itself as text, in order."""
    entries = (
        *(Changes(modified=(entry,)) for entry in changes.modified),
        *(Changes(added=(entry,)) for entry in changes.added),
        *(Changes(removed=(entry,)) for entry in changes.removed),
        *(Changes(score=(entry,)) for entry in changes.score),
    )
    return [next(iter(entry.items)) for entry in entries]


def every_object(row: Row) -> list[Any]:
    return list(parse_state(row["state"], row["score"]).objects.values())


def every_uuid(row: Row) -> list[int]:
    return [thing["uuid"] for thing in every_object(row)]


def strategies(nothing: float) -> tuple[Strategy, ...]:
    """``nothing`` limits what is earned by saying in any way that nothing changes."""
    won = {"score": 1, "gameWon": True}
    return (
        Strategy("empty text", lambda row: "", 0.0),
        Strategy("nothing changes", lambda row: difference([], [], {}), nothing),
        Strategy("the state again", lambda row: difference(every_object(row), [], {}), nothing),
        Strategy("everything disappears", lambda row: difference([], every_uuid(row), {}), 0.1),
        Strategy("the game is won", lambda row: difference([], [], won), 0.3),
        Strategy("copy the state", lambda row: row["state"], 0.0),
    )


HOSTILE = {
    "100,000 entries": '{"modified": [' + "[1, 2]," * 100_000 + '], "removed": [], "score": {}}',
    "entries within the limit": '{"modified": ['
    + ",".join(['[1,"a",2]'] * 3_000)
    + '], "removed": [], "score": {}}',
    "many blocks": '{"a": 1} ' * 7_000,
    "many openings": "{" * 60_000,
    "alternating openings": '{"a":[' * 10_000,
    "openings with texts": "{'\\'" * 8_000,
    "broken literals": "{'a': 1, " + "'b' 2, " * 2_200,
    "stray commas": "{" + "," * 16_000 + "}",
    "many markers": "The final answer is: " * 3_000,
    "many fences": "```json\n{}\n``` " * 4_000,
    "open fences": "```json\n" * 8_000,
    "quotes": "{" + '"' * 60_000,
    "escapes": '{"' + "\\" * 60_000,
    "huge number": '{"modified": [[4, "stage", ' + "9" * 16_000 + ']], "removed": [], "score": {}}',
    "huge exponent": '{"modified": [[4, "stage", 1e999999]], "removed": [], "score": {}}',
    "a call": "{'modified': __import__('os').getcwd(), 'removed': [], 'score': {}}",
    "a power": "{'modified': [], 'removed': [9**9**9], 'score': {}}",
    "a set": "{'modified', 'removed', 'score'}",
    "deep lists": '{"modified": ' + "[" * 30_000 + "]" * 30_000 + "}",
    "deep and short": '{"modified": ' + "[" * 900 + "]" * 900 + ', "removed": [], "score": {}}',
    "sixteen thousand letters": "{" + "a" * 16_000 + "}",
}


def reference_top(shaped: bool) -> Any:
    """The best that the paper's code gives: objects that a row adds count as errors there."""

    def top(row: Row) -> float:
        before = parse_state(row["state"], row["score"])
        after = parse_state(row["next_state"], row["next_score"])
        is_adding = bool(diff(before, after).added)
        if not shaped:
            return 0.0 if is_adding else 1.0
        modified = [name for _, name, _ in diff(before, after).modified]
        changes = any(name not in ("name", "type") for name in modified)
        facts = sum(len(thing["properties"]) + 1 for thing in after.objects.values())
        missing = sum(len(thing["properties"]) for thing in diff(before, after).added)
        new = len(diff(before, after).added)
        item = (facts - missing - new) / (facts - missing) if is_adding else 1.0
        return 0.09 * item + 0.01 + (0.0 if is_adding else 0.2) + (1.0 if changes else 0.0)

    return top


def case(layout: str, answer: str, reward: str, nothing: float = 0.25, **more: Any) -> Case:
    """2 of the 8 rows are unchanged."""
    return Case(
        domain="text_game",
        task=TextGameTaskConfig(layout=layout, answer=answer, reward=reward, **more),
        rows=ROWS,
        inputs=lambda row: (row["state"], row["action"]),
        worst=WORST[answer],
        unparsable=UNPARSABLE,
        items=stated,
        strategies=strategies(nothing),
        signs="{}[],:\"'",
        hostile=HOSTILE,
        itemised=answer == "difference",
    )


def reference_case(reward: str) -> Case:
    made = case("reference", "difference", reward)
    shaped = reward == "reference_task_specific"
    return Case(
        **{**vars(made), "top": reference_top(shaped), "unparsable": ("hello", "[]", "null")}
    )


CASES = {
    f"text_game-{layout}-{answer}-{reward}": case(layout, answer, reward)
    for layout, answer, reward in (
        *product(("compact", "reference"), ("difference", "state"), ("f1",)),
        ("compact", "difference", "exact"),
    )
} | {
    # All properties count a little there, and most stay as they are.
    "text_game-compact-difference-shaped": case("compact", "difference", "shaped", nothing=0.3),
    "text_game-compact-reasoning": case("compact", "difference", "f1", reasoning=True),
    "text_game-reference-reasoning": case("reference", "difference", "f1", reasoning=True),
    # The score is no part of what is asked: a third row is unchanged.
    "text_game-action": case("compact", "difference", "f1", nothing=0.375, mode="action"),
    "text_game-reference_binary": reference_case("reference_binary"),
    "text_game-reference_task_specific": reference_case("reference_task_specific"),
}
