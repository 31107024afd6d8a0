"""The verbs that games share: carry, open, switch, wait, look. A game lists those that it wants."""

from worldtune.domains.text_game.games.game import Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.world import Thing


def _nothing(step: Step, *things: Thing) -> None:
    """An action that changes nothing."""


def _take(step: Step, thing: Thing) -> None:
    step.move(thing, "is taken", step.world.agent)


def _put(step: Step, thing: Thing, place: Thing) -> None:
    if place.properties.get("open") is not False:
        step.move(thing, "is put", place)


def _drop(step: Step, thing: Thing) -> None:
    place = step.world.agent.place
    assert place is not None
    step.move(thing, "is dropped", place)


def _set_open(step: Step, thing: Thing, *, is_open: bool) -> None:
    if not thing.properties.get("locked", False):
        step.change(thing, "is opened" if is_open else "is closed", open=is_open)


def _open(step: Step, thing: Thing) -> None:
    _set_open(step, thing, is_open=True)


def _close(step: Step, thing: Thing) -> None:
    _set_open(step, thing, is_open=False)


def _turn_on(step: Step, thing: Thing) -> None:
    step.change(thing, "is turned on", on=True)


def _turn_off(step: Step, thing: Thing) -> None:
    step.change(thing, "is turned off", on=False)


WAIT = Verb("wait", "The action changes nothing.", _nothing, weight=3)
LOOK = Verb("look around", "The action changes nothing.", _nothing, weight=3)
EXAMINE = Verb("examine {thing}", "The action changes nothing.", _nothing, weight=3)
IDLE = (WAIT, LOOK, EXAMINE)
"""Actions without effect; time passes all the same."""

TAKE = Verb("take {portable}", "The object moves into the agent.", _take)
PUT = Verb(
    "put {held} in {container}",
    "The held object moves into the container. Nothing happens if the container's open is false.",
    _put,
)
DROP = Verb("drop {held}", "The held object moves into the place where the agent is.", _drop)
CARRY = (TAKE, PUT)


def opening(kinds: str) -> tuple[Verb, Verb]:
    """Open and close things of these kinds (``"Oven|Box"``), unless they are locked."""
    locked = "Nothing happens if it has a property locked that is true."
    return (
        Verb(f"open {{{kinds}}}", f"Its open becomes true. {locked}", _open),
        Verb(f"close {{{kinds}}}", f"Its open becomes false. {locked}", _close),
    )


def switching(kinds: str) -> tuple[Verb, Verb]:
    """Turn things of these kinds on and off."""
    return (
        Verb(f"turn on {{{kinds}}}", "Its on becomes true.", _turn_on),
        Verb(f"turn off {{{kinds}}}", "Its on becomes false.", _turn_off),
    )
