"""Transitions as rows of the text-game table, with what the input does not determine.

Undetermined items are found by playing the step again twice: with dice of which every draw gives
its first outcome, and with dice of which every draw gives its last. An item of the true difference
is determined if all three plays have it. A step in which chance decided is undetermined even where
nothing of it shows ("By chance nothing is found"): its list then holds only the marker CHANCE.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from worldtune.domains.text_game.games.dice import FixedDice
from worldtune.domains.text_game.games.game import Action, Game
from worldtune.domains.text_game.games.rollouts import Transition, transitions
from worldtune.domains.text_game.games.rules_text import rules_text
from worldtune.domains.text_game.games.world import Moment
from worldtune.domains.text_game.state import Changes, diff

CHANCE = "chance"
LICENCE = "Apache-2.0"
NO_REASON = "Nothing changes."

_rules_text = lru_cache(maxsize=None)(rules_text)


def rows(
    game: Game, seed: int, *, split: str, branches: int, random_steps: int
) -> Iterator[dict[str, Any]]:
    """The rows of one layout; a row that equals an earlier one in all but its place is left out.

    Args:
        game: the game.
        seed: which layout.
        split: what the rows are for, a name of the table.
        branches: other actions tried at each moment of the gold play.
        random_steps: most steps of the random play.
    """
    seen: set[tuple[str, str, str]] = set()
    for transition in transitions(game, seed, branches=branches, random_steps=random_steps):
        before, after = transition.before, transition.played.after
        key = (before.fingerprint, transition.action.text, after.fingerprint)
        if key not in seen:
            seen.add(key)
            yield build_row(transition, split=split)


def build_row(transition: Transition, *, split: str) -> dict[str, Any]:
    """One transition with the keys that every reader of text games yields."""
    game, before, played = transition.game, transition.before, transition.played
    return {
        "source": "own",
        "game": game.name,
        "seed": transition.seed,
        "step": transition.step,
        "rollout": transition.rollout,
        "task_desc": game.task,
        "rules": _rules_text(game),
        "objects": before.objects,
        "action_objects": played.action_objects,
        "next_objects": played.after.objects,
        "score": before.world.score,
        "next_score": played.after.world.score,
        "uuid_base": before.world.next_uuid,
        "action": transition.action.text,
        "undetermined": undetermined_items(transition),
        "reasoning": " ".join(played.sentences) or NO_REASON,
        "split": split,
        "licence": LICENCE,
    }


def undetermined_items(transition: Transition) -> list[str]:
    """The items of the true difference that chance decided, sorted; empty if it decided nothing."""
    if transition.played.num_draws == 0:
        return []
    before, after = transition.before, transition.played.after
    true = diff(before.state, after.state)
    items: set[str] = set()
    for other in _extremes(transition.game, before, transition.action):
        items |= _not_so(true, after, other).items
    return sorted(items) or [CHANCE]


@lru_cache(maxsize=64)  # a branch may try an action that is left to chance several times
def _extremes(game: Game, before: Moment, action: Action) -> tuple[Moment, Moment]:
    """The moments after a step of which every draw gives its first outcome, or its last."""
    first = game.play(before.world, action, FixedDice("first"))
    last = game.play(before.world, action, FixedDice("last"))
    return first.after, last.after


def _not_so(changes: Changes, after: Moment, other: Moment) -> Changes:
    """The part of the difference that led to ``after`` that did not lead to ``other``."""
    here, there = after.facts, other.facts
    nothing: dict[str, Any] = {}
    return Changes(
        modified=tuple(
            (uuid, name, value)
            for uuid, name, value in changes.modified
            if here[uuid].get(name) != there.get(uuid, nothing).get(name)
        ),
        added=tuple(
            thing for thing in changes.added if here[thing["uuid"]] != there.get(thing["uuid"])
        ),
        removed=tuple(uuid for uuid in changes.removed if uuid in there),
        score=tuple(
            (key, value) for key, value in changes.score if other.world.score[key] != value
        ),
    )
