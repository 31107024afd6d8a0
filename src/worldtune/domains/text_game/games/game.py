"""What a game is: kinds of objects, verbs, rules of time and goals, each with its sentence.

A game is data (one ``Game`` per module of this package, called ``GAME``): every rule is a pair of a
sentence and the function that does what the sentence says. The rule text of the rows is made from
the sentences (``rules_text``), the transitions from the functions (``play``). A step has three
phases, as in ByteSized32-SP: the action, the tick of the world, the score.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.world import Moment, Thing, World

SLOT = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Tick:
    """A rule of time: applied to every thing of its kind after each action."""

    rule: str
    effect: Callable[[Step, Thing], None]


@dataclass(frozen=True)
class Kind:
    """A kind of object; ``properties`` says what each property means.

    portable: the agent can take it. container: the agent can put things into it; never both, so
    that nothing is put into itself. room: the agent can be in it, and reaches what is in it only
    from inside.
    """

    name: str
    description: str
    properties: Mapping[str, str] = field(default_factory=dict)
    ticks: Sequence[Tick] = ()
    portable: bool = False
    container: bool = False
    room: bool = False

    def __post_init__(self) -> None:
        assert not (self.portable and self.container), f"{self.name}: portable or container"


@dataclass(frozen=True)
class Verb:
    """A kind of action.

    template: words and slots. A slot is a kind or several (``{Kettle}``, ``{Oven|Heater}``) or a
    role: ``{thing}`` (anything but the agent and its place), ``{portable}`` (a thing that can be
    taken and is not held), ``{held}``, ``{container}``. effect: called with the step and one thing
    per slot. weight: how often a player without a plan picks it.
    """

    template: str
    rule: str
    effect: Callable[..., None]
    weight: int = 2

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """What stands between braces, in order."""
        return tuple(SLOT.findall(self.template))

    @cached_property
    def pattern(self) -> str:
        """The template with an empty pair of braces per slot, for ``str.format``."""
        return SLOT.sub("{}", self.template)


@dataclass(frozen=True)
class Goal:
    """Points for what is so now.

    rule: a clause ("a cup contains hot water"), or with ``enough`` above 1 the thing to count
    ("fruit in a basket"). count: how often it is so; more than ``enough`` bring no more points, and
    ``enough`` of every goal win the game.
    """

    rule: str
    count: Callable[[World], int]
    points: int = 1
    enough: int = 1


@dataclass(frozen=True)
class Loss:
    """What ends the game without a win."""

    rule: str
    holds: Callable[[World], bool]


@dataclass(frozen=True)
class Action:
    """A verb with the uuids of the things in its slots; ``text`` is what the row shows."""

    text: str
    verb: Verb
    uuids: tuple[int, ...]


@dataclass(frozen=True)
class Played:
    """A step that was played.

    after: the moment after it. action_objects: the objects between the action and the tick.
    sentences: what happened, in order. num_draws: how often chance decided.
    """

    after: Moment
    action_objects: list[dict[str, Any]]
    sentences: tuple[str, ...]
    num_draws: int


@dataclass(frozen=True, eq=False)
class Game:
    """A whole game; every game is equal to itself alone.

    layout: draws a first world. gold: the text of an action that leads to the win, from any moment
    that gold actions lead to.
    """

    name: str
    task: str
    kinds: Sequence[Kind]
    verbs: Sequence[Verb]
    goals: Sequence[Goal]
    layout: Callable[[Dice], World]
    gold: Callable[[World], str]
    losses: Sequence[Loss] = ()

    def actions(self, world: World) -> list[Action]:
        """Every valid action, verb by verb, things in the order of the dump."""
        things = list(self._reachable(world))
        return [
            Action(verb.pattern.format(*(thing.name for thing in chosen)), verb, _uuids(chosen))
            for verb in self.verbs
            for chosen in _fillings([self._candidates(slot, world, things) for slot in verb.slots])
        ]

    def action(self, world: World, text: str) -> Action:
        """The valid action with this text. Raises KeyError if there is none."""
        for action in self.actions(world):
            if action.text == text:
                return action
        raise KeyError(f"{self.name}: {text!r} is not valid now")

    def _candidates(self, slot: str, world: World, things: Sequence[Thing]) -> list[Thing]:
        """The things that a slot can be filled with."""
        if slot == "thing":
            return list(things)
        if slot == "held":
            return list(world.agent.contains)
        kinds = self._kinds_of(slot)
        return [
            thing
            for thing in things
            if thing.kind in kinds and not (slot == "portable" and thing.place is world.agent)
        ]

    def _reachable(self, world: World) -> Iterator[Thing]:
        """What the agent can act on: what is in its place, but not in other rooms or closed."""
        rooms = frozenset(kind.name for kind in self.kinds if kind.room)
        place = world.agent.place
        assert place is not None
        for thing in place.contains:
            yield from _open_contents(thing, world.agent, rooms)

    def _kinds_of(self, slot: str) -> frozenset[str]:
        if slot == "portable":
            return frozenset(kind.name for kind in self.kinds if kind.portable)
        if slot == "container":
            return frozenset(kind.name for kind in self.kinds if kind.container)
        return frozenset(slot.split("|"))

    def start(self, dice: Dice) -> World:
        """A first world, with the score of what is so from the start."""
        world = self.layout(dice)
        world.score = self.score(world)
        return world

    def play(self, world: World, action: Action, dice: Dice) -> Played:
        """Play one step in a copy of ``world``: the action, the tick, the score."""
        step = Step(world.copy(), dice)
        action.verb.effect(step, *(step.world.find(uuid) for uuid in action.uuids))
        action_objects = step.world.objects()
        self._tick(step)
        self._settle(step)
        return Played(Moment(step.world), action_objects, tuple(step.sentences), dice.num_draws)

    def _tick(self, step: Step) -> None:
        """Apply the rules of time to what is there now: kind by kind, thing by thing."""
        present = [(thing.kind, thing) for thing in step.world.root.with_contents()]
        for kind in self.kinds:
            for name, thing in present:
                if name == kind.name:
                    _tick_thing(step, kind, thing)

    def score(self, world: World) -> dict[str, Any]:
        """The score record of a world; it depends on nothing but its things."""
        counts = [min(int(goal.count(world)), goal.enough) for goal in self.goals]
        goals = list(zip(self.goals, counts, strict=True))
        won = all(count == goal.enough for goal, count in goals)
        return {
            "score": sum(goal.points * count for goal, count in goals),
            "gameOver": won or any(loss.holds(world) for loss in self.losses),
            "gameWon": won,
        }

    def _settle(self, step: Step) -> None:
        old, new = step.world.score, self.score(step.world)
        step.world.score = new
        if new["score"] != old["score"]:
            step.say(f"The score goes from {old['score']} to {new['score']}.")
        if new["gameOver"]:
            step.say(f"The game is {'won' if new['gameWon'] else 'lost'}.")


def _tick_thing(step: Step, kind: Kind, thing: Thing) -> None:
    """Apply the rules of a kind to one thing, as long as it exists and is of that kind."""
    for tick in kind.ticks:
        if thing.place is None and thing is not step.world.root:
            return
        if thing.kind != kind.name:
            return
        tick.effect(step, thing)


def _open_contents(thing: Thing, agent: Thing, rooms: frozenset[str]) -> Iterator[Thing]:
    if thing is not agent:
        yield thing
    if thing.kind not in rooms and thing.properties.get("open") is not False:
        for inner in thing.contains:
            yield from _open_contents(inner, agent, rooms)


def _fillings(candidates: Sequence[Sequence[Thing]]) -> Iterator[tuple[Thing, ...]]:
    """All ways to fill slots with different things."""
    if not candidates:
        yield ()
        return
    for first in candidates[0]:
        for rest in _fillings(candidates[1:]):
            if first not in rest:
                yield (first, *rest)


def _uuids(things: Sequence[Thing]) -> tuple[int, ...]:
    return tuple(thing.uuid for thing in things)
