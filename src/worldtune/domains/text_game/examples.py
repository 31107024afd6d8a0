"""The worked examples of the reference layout: one changed by the action, one by time.

Ours come from a game of this project; a user who has a clone of GPT-simulator can show the
examples of the paper instead. They are read once, when the domain is built.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from worldtune.contracts import Row
from worldtune.domains.text_game.games import get_game
from worldtune.domains.text_game.games.rows import rows
from worldtune.domains.text_game.rules import shorten
from worldtune.domains.text_game.state import canonical_json, diff, make_state
from worldtune.errors import UserError

KEY = "text_game.task.examples"
OWN_GAMES = ("kettle", "laundry")
"""Two, so that a game is never its own example."""


class ExamplesError(UserError):
    """The worked examples of a clone cannot be read."""


@dataclass(frozen=True)
class Example:
    """A game with two worked rows.

    rules: JSON text of its object, action and score rules, "" if unknown. rows: one changed by the
    action, one by time; they need the states, the scores, uuid_base and action.
    """

    game: str
    task_desc: str
    rules: str
    rows: tuple[Row, Row]


@lru_cache(maxsize=8)
def examples(clone: str) -> tuple[Example, ...]:
    """The examples to choose from: of a clone, or our own where ``clone`` is "".

    Raises ExamplesError where the clone has none.
    """
    return (_of_clone(Path(clone).expanduser()),) if clone else tuple(map(_own, OWN_GAMES))


def example_for(game: str, clone: str) -> Example | None:
    """The first example of another game; None if there is none."""
    return next((example for example in examples(clone) if example.game != game), None)


def _own(game: str) -> Example:
    """One row in which the action alone changes objects, one in which time alone does."""
    found: dict[tuple[bool, bool], Mapping[str, Any]] = {}
    for seed in count():
        for raw in rows(get_game(game), seed, split="train", branches=2, random_steps=0):
            found.setdefault(_causes(raw), raw)
        if found.keys() >= {(True, False), (False, True)}:
            break
    by_action, by_time = found[True, False], found[False, True]
    return Example(
        game, by_action["task_desc"], by_action["rules"], (_row(by_action), _row(by_time))
    )


def _causes(raw: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the action changes objects, and whether time does."""
    before, between, after = (
        make_state(raw[key], raw["score"]) for key in ("objects", "action_objects", "next_objects")
    )
    return not diff(before, between).is_empty, not diff(between, after).is_empty


def _row(raw: Mapping[str, Any]) -> Row:
    return {
        "state": canonical_json(raw["objects"]),
        "action_state": canonical_json(raw["action_objects"]),
        "next_state": canonical_json(raw["next_objects"]),
        "score": canonical_json(raw["score"]),
        "next_score": canonical_json(raw["next_score"]),
        "uuid_base": raw["uuid_base"],
        "action": raw["action"],
    }


def _of_clone(clone: Path) -> Example:
    try:
        pair = _read(clone / "data/examples.json")["full"]
        game = _read(clone / "experiments/games.json")["example"]
        objects, actions, score = (
            _read(clone / f"rules/human_written_rules/{part}_rules.json")[game]
            for part in ("object", "action", "score")
        )
        rules = {"objects": shorten(objects), "actions": actions, "score": score}
        rows = tuple(_clone_row(pair[part]) for part in ("action", "tick"))
        task = str(pair["action"]["current_state"]["taskDesc"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExamplesError(
            f"{KEY}: {clone} holds no worked examples ({type(error).__name__}: {error}). Expected "
            "a clone of GPT-simulator with data/examples.json, experiments/games.json and "
            "rules/human_written_rules/; leave the key out to show this project's own."
        ) from error
    return Example(game, task, canonical_json(rules), (rows[0], rows[1]))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _clone_row(row: Mapping[str, Any]) -> Row:
    before, after = row["current_state"], row["tick_state"]
    return {
        "state": canonical_json(before["objects"]),
        "action_state": canonical_json(row["action_state"]["objects"]),
        "next_state": canonical_json(after["objects"]),
        "score": canonical_json(row["current_score_state"]),
        "next_score": canonical_json(row["next_score_state"]),
        "uuid_base": before["max_UUID"],
        "action": after["lastAction"],
    }
