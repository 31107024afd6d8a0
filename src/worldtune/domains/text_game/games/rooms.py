"""Rooms: find the key that fits, unlock, go in and take the treasure.

Rooms can be searched too, and what that brings to light is up to chance.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.finds import Finds, Option
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import IDLE, TAKE, opening
from worldtune.domains.text_game.games.words import FINDS, ROOMS, TREASURES, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

FOUND = Finds(Option("Find", FINDS))


def unlock(step: Step, room: Thing, key: Thing) -> None:
    """Unlock a room with the key of the same code."""
    if key.kind == "Key" and key["code"] == room["code"]:
        step.change(room, f"is unlocked with the {key.label}", locked=False)


def enter(step: Step, room: Thing) -> None:
    """Go into an open room."""
    if room["open"]:
        step.move(step.world.agent, "enters", room)


def leave(step: Step) -> None:
    """Go back to the hall."""
    step.move(step.world.agent, "leaves", step.world.root)


def search(step: Step) -> None:
    """Look for what lies about in the place of the agent; random finds appear in it."""
    place = step.world.agent.place
    assert place is not None
    for old in [thing for thing in place.contains if thing.kind == "Find"]:
        step.remove(old, "is pushed aside")
    FOUND.appear(step, place, cause=place, because="is searched")


def held_treasures(world: World) -> int:
    """Whether the agent holds the treasure."""
    return any(thing.kind == "Treasure" for thing in world.agent.contains)


def layout(dice: Dice) -> World:
    """A hall with two rooms, one of them locked around the treasure, and one or two keys."""
    names = Names(dice)
    world = World(Plan("Hall", "hall"))
    codes = dice.shuffled(range(1, 10))[: dice.integer(1, 2)]
    keys = [Plan("Key", f"{names.draw(['key'])}", {"code": code}) for code in codes]
    closed = {"open": False, "locked": True, "code": codes[0]}
    is_open = dice.chance(60)
    other = {"open": is_open, "locked": not is_open and dice.chance(50), "code": codes[-1]}
    world.scatter(dice, [Plan("Room", names.draw(ROOMS), values) for values in (closed, other)])
    target = world.all("Room", **closed)[0]
    world.add(Plan("Treasure", names.draw(TREASURES)), target)
    start = next((room for room in world.all("Room", open=True)), world.root)
    for key in dice.shuffled(keys):
        world.add(key, start)
    world.agent.move_to(start)
    return world


def gold(world: World) -> str:
    """Take the key of the treasure's room, open the room, go in, take the treasure."""
    treasure = world.all("Treasure")[0]
    room, place = treasure.place, world.agent.place
    assert room is not None and place is not None
    key = world.all("Key", code=room["code"])[0]
    if place is room:
        return f"take {treasure.name}"
    if room["locked"] and key.place is not world.agent:
        return f"take {key.name}"
    if place is not world.root:
        return "leave"
    if room["locked"]:
        return f"unlock {room.name} with {key.name}"
    return f"enter {room.name}" if room["open"] else f"open {room.name}"


GAME = Game(
    name="rooms",
    task="Find the treasure in a locked room and take it.",
    kinds=(
        Kind(
            "Room",
            "A part of the house; its door leads to the hall.",
            {
                "open": "whether its door is open",
                "locked": "whether its door is locked",
                "code": "the code of the keys that fit",
            },
            room=True,
        ),
        Kind("Key", "Unlocks a room.", {"code": "which rooms it fits"}, portable=True),
        Kind("Treasure", "What is looked for.", portable=True),
        Kind("Find", "Something without worth.", portable=True),
        Kind("Hall", "The place between the rooms.", room=True),
    ),
    verbs=(
        Verb(
            "search",
            "All Finds in the place where the agent is are removed, and 0 to 5 new Finds appear in"
            f" it: {FOUND.rule}",
            search,
            weight=16,
        ),
        Verb(
            "unlock {Room} with {held}",
            "The room's locked becomes false if the held object is a Key of the same code.",
            unlock,
        ),
        Verb("enter {Room}", "The agent moves into the room if the room's open is true.", enter),
        Verb("leave", "The agent moves into the hall, if it is not there.", leave),
        *opening("Room"),
        TAKE,
        *IDLE,
    ),
    goals=(
        Goal("no Room is locked that contains a Treasure", lambda world: not _locked(world)),
        Goal("the agent holds a Treasure", held_treasures, points=2),
    ),
    layout=layout,
    gold=gold,
)


def _locked(world: World) -> bool:
    """Whether the treasure is behind a locked door."""
    return any(
        thing.kind == "Treasure"
        for room in world.all("Room", locked=True)
        for thing in room.contains
    )
