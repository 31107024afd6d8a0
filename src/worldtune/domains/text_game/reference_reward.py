"""The rewards that the paper's numbers were made with, defects included, to the last digit.

Binary and task-specific reward of RLVR-World (section 4.1) as its released code
computes them; checked against 889 of its own scores. What differs from ``reward``: objects that the
model adds are dropped and inventions cost nothing, names and types are not compared, True and None
are rewritten inside strings too, an additional property key voids the task-specific reward, and the
latter reaches 1.3 on changed rows but 0.3 on others. One bound is ours: answers that are too long
or too deeply nested to be repaired in time earn 0. Not for training, except to compare.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worldtune.domains.text_game.literals import MAX_CHARS, MAX_LENIENT_CHARS, is_deep
from worldtune.domains.text_game.state import State

MARKERS = (
    "The final answer is:",
    "the final answer is:",
    "The final state is:",
    "the final state is:",
    "The final game state is:",
    "the final game state is:",
)
"""Searched in this order; what follows the last occurrence of the first that occurs counts."""

_MIN_FENCED = 10
_FENCE = re.compile(r"```json(.*?)```", re.DOTALL)

Objects = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class ReferenceRewards:
    """Both rewards: binary is 0 or 1, task_specific in [0, 1.3]."""

    binary: float = 0.0
    task_specific: float = 0.0


def reference_rewards(text: str, before: State, after: State) -> ReferenceRewards:
    """Score a response to the step from ``before`` to ``after``; 0 whatever goes wrong."""
    if len(text) > MAX_CHARS:
        return ReferenceRewards()
    try:
        objects, score = _rebuild(_parse(text), before)
        return _rewards(objects, score, before, after)
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError, RecursionError):
        return ReferenceRewards()


def _parse(text: str) -> dict[str, Any]:
    import json_repair  # noqa: PLC0415 - rarely needed

    marker = next((marker for marker in MARKERS if marker in text), None)
    if marker is not None:
        text = text.rsplit(marker, 1)[1]
    elif (fenced := _FENCE.findall(text)) and len(fenced[-1]) >= _MIN_FENCED:
        text = fenced[-1]
    for python, plain in (("True", "true"), ("False", "false"), ("None", "null")):
        text = text.replace(python, plain)
    if len(text) > MAX_LENIENT_CHARS or is_deep(text):
        raise ValueError("too long or too deep to repair")
    value = json.loads(json_repair.repair_json(text))
    if not isinstance(value, dict) or "modified" not in value or "removed" not in value:
        raise ValueError("not a difference")
    return value


def _rebuild(
    said: Mapping[str, Any], before: State
) -> tuple[dict[int, Any], Mapping[str, Any] | None]:
    """The predicted objects, without any that the model adds, and the predicted score record."""
    stated = said["modified"] if isinstance(said["modified"], list) else []
    modified = {entry["uuid"]: entry for entry in stated if "uuid" in entry}
    removed = said["removed"]
    objects = {
        uuid: modified.get(uuid, thing)
        for uuid, thing in before.objects.items()
        if uuid not in removed
    }
    if "score" not in said:
        return objects, None
    score = said["score"]
    is_empty = not isinstance(score, dict | list | str) or len(score) == 0
    return objects, before.score if is_empty else score


def _rewards(
    objects: Objects, score: Mapping[str, Any] | None, before: State, after: State
) -> ReferenceRewards:
    right, wrong = _compare_objects(objects, after)
    hits = sum(_has(score, key, value) for key, value in after.score.items())
    item = right / (right + wrong)
    share = hits / len(after.score)
    exact = item == 1 and share == 1
    shaped = 0.09 * item + 0.01 * share + 0.2 * exact
    try:
        differences = {
            uuid: _codes(thing, objects[uuid])
            for uuid, thing in after.objects.items()
            if uuid in objects
        }
    except (KeyError, TypeError, AttributeError):
        return ReferenceRewards(float(exact), shaped)
    try:
        changed = _changed_accuracy(differences, before, after)
    except KeyError:
        return ReferenceRewards(float(exact), 0.0)
    return ReferenceRewards(float(exact), shaped + changed)


def _has(record: Any, key: str, value: Any) -> bool:
    return isinstance(record, dict) and key in record and bool(record[key] == value)


def _compare_objects(objects: Objects, after: State) -> tuple[int, int]:
    """Properties that are right and wrong, over the objects of the true state alone."""
    right = wrong = 0
    for uuid, thing in after.objects.items():
        found = objects.get(uuid)
        if found is None:
            wrong += 1
            continue
        if "properties" in found:
            hits = sum(
                _has(found["properties"], key, value) for key, value in thing["properties"].items()
            )
            right, wrong = right + hits, wrong + len(thing["properties"]) - hits
        else:
            wrong += 1
        same = "contains" in found and sorted(found["contains"]) == sorted(thing["contains"])
        right, wrong = right + same, wrong + (not same)
    return right, wrong


def _codes(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, bool]:
    """Whether each property of either object is the same in both; missing content is empty."""
    old, new = first["properties"], second["properties"]
    codes = {key: _has(new, key, value) for key, value in old.items()}
    codes |= {key: False for key in new if key not in old}
    codes["contains"] = sorted(first["contains"]) == sorted(second.get("contains", []))
    return codes


def _changed_accuracy(
    differences: Mapping[int, Mapping[str, bool]], before: State, after: State
) -> float:
    """Share of the properties that change which are predicted right; 0 where none changes.

    Raises KeyError where a predicted object has a property that the true one lacks.
    """
    flags = []
    for uuid, codes in differences.items():
        if uuid in before.objects:
            changes = _codes(before.objects[uuid], after.objects[uuid])
            flags += [same for key, same in codes.items() if not changes[key]]
    return sum(flags) / len(flags) if flags else 0.0
