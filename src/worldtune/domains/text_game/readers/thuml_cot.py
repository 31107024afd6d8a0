"""Rows of thuml/bytesized32-world-model-cot (MIT): the prompts, states and answers of the paper.

``extra_info`` holds the state before and the action; ``reward_model.ground_truth`` holds the state
after, or, in ``generated_cot``, the text that a model is taught: reasoning and then an answer,
whose difference is applied to the state before. A row does not name its game. Its prompt
describes the task, which stands in for the name, and tells the rules and the UUID base. The state
after the action alone is not in the data.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from worldtune.domains.text_game.answer import read_changes
from worldtune.domains.text_game.literals import read_object
from worldtune.domains.text_game.state import apply, canonical_json, make_state
from worldtune.ingestion.rows import Format, Record, RowFault, require_text

LICENCE = "MIT"
MAX_GAME_CHARS = 80
"""A task description is cut to this length where it stands in for the name of the game."""

_GAME = "Here is the game that you need to simulate:"
_MARKS = {
    "task": "Task Description:",
    "objects": "Here are the descriptions of all game objects properties:",
    "actions": "Here are the descriptions of all game actions:",
    "score": "Here is a description of the game score function:",
    "state": "Here is the game state:",
}
"""Lines of the prompt, in their order; what follows a line up to the next one is its text."""
_BASE = re.compile(r"The current game UUID base is (\d{1,9})\b")
_LEAD_IN = re.compile(r"(?:the final (?:answer|state|game state) is:|```(?:json)?)\s*$", re.I)


def convert(record: Record) -> Iterator[dict[str, Any] | RowFault]:
    """Yield the one row of a record. Raises RowFault where a part is missing or unreadable."""
    extra = _mapping(record.values, "extra_info")
    truth = require_text(_mapping(record.values, "reward_model"), "ground_truth")
    prompt = _prompt(record.values)
    parts = prompt_parts(prompt)
    objects, score = _game_state(_json_object(require_text(extra, "data_state")), "data_state")
    told = _json_object(truth)
    if told is not None and "game_state" in told:
        reasoning, after = "", _game_state(told, "ground_truth")
    else:
        reasoning, after = _answered(truth, objects, score)
    base = _BASE.findall(prompt)
    yield {
        "source": "thuml_cot",
        "game": parts.get("task", "")[:MAX_GAME_CHARS].strip(),
        "seed": 0,
        "step": extra.get("index"),
        "rollout": "",
        "task_desc": parts.get("task", ""),
        "rules": _rules(parts),
        "objects": objects,
        "action_objects": None,
        "next_objects": after[0],
        "score": score,
        "next_score": after[1],
        "uuid_base": int(base[-1]) if base else None,
        "action": extra.get("data_action"),
        "undetermined": [],
        "reasoning": reasoning,
        "split": extra.get("split"),
        "licence": LICENCE,
    }


def prompt_parts(prompt: str) -> dict[str, str]:
    """Task and rules of the game that a prompt asks about; what is not marked is left out."""
    text = prompt[prompt.rfind(_GAME) :] if _GAME in prompt else prompt
    found = {name: text.rfind(f"{mark}\n") for name, mark in _MARKS.items()}
    places = sorted((place, name) for name, place in found.items() if place >= 0)
    ends = [*(place for place, _ in places), len(text)][1:]
    return {
        name: text[place + len(_MARKS[name]) : end].strip()
        for (place, name), end in zip(places, ends, strict=True)
    }


def _rules(parts: Mapping[str, str]) -> str:
    rules = {name: parts.get(name, "") for name in ("objects", "actions", "score")}
    return canonical_json(rules) if any(rules.values()) else ""


def _answered(text: str, objects: list[Any], score: Any) -> tuple[str, tuple[list[Any], Any]]:
    """The reasoning of a taught text, and the state that its answer leads to."""
    try:
        before = make_state(objects, score)
        changes, found = read_changes(text, before), read_object(text)
        after = None if changes is None else apply(before, changes)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RowFault("malformed_object", f"data_state: {str(error)[:80]}") from error
    if after is None or found is None:
        raise RowFault("unreadable_answer", f"ground_truth ends with {text[-60:]!r}")
    reasoning = _LEAD_IN.sub("", _LEAD_IN.sub("", text[: found[1]].rstrip()).rstrip())
    return reasoning.rstrip(), (list(after.objects.values()), after.score)


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name)
    if not isinstance(value, dict):
        raise RowFault("missing_field", f"{name} is of type {type(value).__name__}")
    return value


def _prompt(values: Mapping[str, Any]) -> str:
    """The text of the last user message."""
    messages = values.get("prompt")
    for message in reversed(messages) if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("role") == "user":
            return require_text(message, "content")
    raise RowFault("missing_field", "prompt holds no message of the user")


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _game_state(value: Mapping[str, Any] | None, name: str) -> tuple[list[Any], Any]:
    """The objects and the score record, which is the last element of ``game_state``."""
    entries = value.get("game_state") if value is not None else None
    if not isinstance(entries, list) or len(entries) < 2:
        raise RowFault("missing_state", f"{name} is no JSON object with a list game_state")
    return entries[:-1], entries[-1]


FORMAT = Format(
    kind="thuml_cot", needs=(("prompt", "reward_model", "extra_info"),), convert=convert
)
