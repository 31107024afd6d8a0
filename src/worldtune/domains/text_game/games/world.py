"""The world of a game: things inside things, which are dumped as the objects of a row.

A world knows no rules. It always holds a root (a room, say) and the agent, and it can be copied
cheaply, so that many actions can be tried from one moment. Things are found by uuid, because a copy
has things of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.state import State, make_state

Value = bool | int | str


@dataclass(slots=True, eq=False)
class Thing:
    """One object of a world; ``place`` is the thing that contains it, None for the root."""

    uuid: int
    noun: str
    kind: str
    properties: dict[str, Value]
    place: "Thing | None" = None
    contains: list["Thing"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How rows and actions call it: ``kettle (ID: 4)``."""
        return f"{self.noun} (ID: {self.uuid})"

    @property
    def label(self) -> str:
        """How sentences call it: ``kettle 4``."""
        return f"{self.noun} {self.uuid}"

    def __getitem__(self, name: str) -> Any:
        """The value of a property."""
        return self.properties[name]

    def with_contents(self) -> list["Thing"]:
        """The thing and everything in it, however deep; a container comes before its content."""
        found = [self]
        for inner in self.contains:
            if inner.contains:
                found += inner.with_contents()
            else:
                found.append(inner)
        return found

    def move_to(self, place: "Thing") -> None:
        """Leave the old place and become the last thing of the new one."""
        assert self.place is not None, f"{self.name} is the root or was removed"
        self.place.contains.remove(self)
        self.place = place
        place.contains.append(self)

    def copy(self, place: "Thing | None" = None) -> "Thing":
        """A copy of the thing with copies of everything in it."""
        copied = Thing(self.uuid, self.noun, self.kind, self.properties.copy(), place)
        copied.contains = [inner.copy(copied) for inner in self.contains]
        return copied


@dataclass(frozen=True)
class Plan:
    """A thing that a layout wants in its world."""

    kind: str
    noun: str
    properties: Mapping[str, Value] = field(default_factory=dict)


class World:
    """A moment of a game: the things and the score record."""

    def __init__(self, root: Plan, agent: Mapping[str, Value] | None = None) -> None:
        self.next_uuid = 0
        self.score: Mapping[str, Any] = {"score": 0, "gameOver": False, "gameWon": False}
        self.root = self.add(root)
        self.agent = self.add(Plan("Agent", "agent", agent or {}))

    def add(self, plan: Plan, place: Thing | None = None) -> Thing:
        """Put a new thing with the next free uuid into ``place`` (default: the root)."""
        thing = Thing(self.next_uuid, plan.noun, plan.kind, dict(plan.properties))
        if self.next_uuid > 0:
            thing.place = place or self.root
            thing.place.contains.append(thing)
        self.next_uuid += 1
        return thing

    def scatter(self, dice: Dice, plans: Sequence[Plan]) -> None:
        """Put new things into the root in a random order, so that uuids tell nothing."""
        for plan in dice.shuffled(plans):
            self.add(plan)

    def copy(self) -> "World":
        """A world that can change without changing this one."""
        copied = World.__new__(World)
        copied.next_uuid = self.next_uuid
        copied.score = self.score
        copied.root = self.root.copy()
        copied.agent = copied.find(self.agent.uuid)
        return copied

    def find(self, uuid: int) -> Thing:
        """The thing with this uuid. Raises KeyError if there is none."""
        for thing in self.root.with_contents():
            if thing.uuid == uuid:
                return thing
        raise KeyError(uuid)

    def all(self, *kinds: str, **properties: Value) -> list[Thing]:
        """The things of these kinds that have these property values, in the order of the dump."""
        return [
            thing
            for thing in self.root.with_contents()
            if thing.kind in kinds
            and all(thing.properties.get(name) == value for name, value in properties.items())
        ]

    def objects(self) -> list[dict[str, Any]]:
        """The things as objects of a row, a container before its content."""
        return [
            {
                "name": thing.name,
                "uuid": thing.uuid,
                "type": thing.kind,
                "properties": thing.properties.copy(),
                "contains": [inner.name for inner in thing.contains],
            }
            for thing in self.root.with_contents()
        ]


@dataclass(frozen=True, eq=False)
class Moment:
    """A world between two steps: nothing changes it any more, so what is made of it is kept."""

    world: World

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The objects of a row; read, do not change."""
        return self.world.objects()

    @cached_property
    def facts(self) -> dict[int, dict[str, Any]]:
        """Everything that can change about each thing, under the names that ``state`` uses."""
        return {
            thing.uuid: {
                **thing.properties,
                "name": thing.noun,
                "type": thing.kind,
                "contains": sorted([inner.uuid for inner in thing.contains]),
            }
            for thing in self.world.root.with_contents()
        }

    @cached_property
    def fingerprint(self) -> str:
        """Equal for moments at which all things are equal."""
        return repr(self.facts)

    @cached_property
    def state(self) -> State:
        """The objects and the score for ``state.diff``."""
        return make_state(self.objects, self.world.score)
