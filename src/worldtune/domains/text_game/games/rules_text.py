"""The rules of a game as text, made from the sentences that stand beside the code.

The layout is that of the rules that people wrote for ByteSized32-SP: blocks of ``Object:``,
``Description:``, ``Properties:`` apart by a line of ``=``; verbs with numbered rules. Readers of
that layout leave the last object block out, so it holds nothing that a prediction needs.
"""

from collections.abc import Sequence

from worldtune.domains.text_game.games.game import SLOT, Game, Goal, Kind, Verb
from worldtune.domains.text_game.state import canonical_json

SEPARATOR = "\n==========\n"

_STEP_RULES = (
    "Only objects within reach can be acted on. The agent reaches what is in the place where it is"
    " and what it holds, but nothing inside an object whose open is false or inside another room.",
    "An object that moves or appears becomes the last one in its new place; a new object gets the"
    " next free uuid.",
    "After the action the rules that begin with 'Per tick' apply, in the order of the object"
    " rules: kind by kind, within a kind object by object, for an object rule by rule. They apply"
    " to the objects that are there right after the action, to each by the kind that it has then;"
    " an object that turns into another kind or is removed has no further rule in this tick.",
    "The score comes last.",
)
_ROLES = {
    "thing": "object",
    "portable": "object that can be taken",
    "held": "held object",
    "container": "container",
}


def rules_text(game: Game) -> str:
    """The rules as canonical JSON text with the keys objects, actions and score."""
    blocks = [_kind_text(kind) for kind in game.kinds]
    if all(kind.name != "Agent" for kind in game.kinds):
        blocks.append("Object: Agent\nDescription: The player; it contains what it holds.")
    blocks.append("Object: World\nDescription: All objects together.")
    verbs = [_verb_text(verb) for verb in game.verbs]
    return canonical_json(
        {
            "objects": SEPARATOR.join(blocks),
            "actions": "\n\n".join((*verbs, "Every step:\n" + _numbered(_STEP_RULES))),
            "score": _score_text(game),
        }
    )


def _kind_text(kind: Kind) -> str:
    facts = [f"{name}: {meaning}" for name, meaning in kind.properties.items()]
    if kind.portable:
        facts.append("The agent can take it.")
    if kind.container:
        facts.append("It is a container: the agent can put objects into it.")
    if kind.room:
        facts.append("It is a room: the agent can be in it.")
    facts += [tick.rule for tick in kind.ticks]
    lines = [f"Object: {kind.name}", f"Description: {kind.description}"]
    if facts:
        lines += ["Properties:", *(f"- {fact}" for fact in facts)]
    return "\n".join(lines)


def _verb_text(verb: Verb) -> str:
    heading = SLOT.sub(lambda slot: _slot_text(slot[1]), verb.template)
    return f"{heading}:\nRules:\n{_numbered([verb.rule])}"


def _slot_text(slot: str) -> str:
    return f"[{_ROLES.get(slot, slot.replace('|', ' or '))}]"


def _numbered(rules: Sequence[str]) -> str:
    return "\n".join(f"{number}. {rule}" for number, rule in enumerate(rules, 1))


def _score_text(game: Game) -> str:
    points = [f"{_points(goal.points)} {_for_what(goal)}." for goal in game.goals]
    top = sum(goal.points * goal.enough for goal in game.goals)
    won = f"The game is over and won at {_points(top)}."
    lost = [f"It is over and lost if {loss.rule}, unless it is won." for loss in game.losses]
    return "\n".join(("The score is the sum of:", *points, won, *lost))


def _points(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"


def _for_what(goal: Goal) -> str:
    return (
        f"if {goal.rule}"
        if goal.enough == 1
        else f"for each {goal.rule}, at most {goal.enough} times"
    )
