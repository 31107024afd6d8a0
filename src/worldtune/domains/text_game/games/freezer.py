"""Freezer: cool a liquid until it is solid; a freezer takes time to get cold, and things warm up.

Two temperatures run after each other: that of the freezer follows its switch and its door, that of
the things in it follows the freezer.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE, opening, switching
from worldtune.domains.text_game.games.words import FREEZERS, LIQUIDS, ROOMS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

ROOM_TEMP = 20
COLDEST = -20
WARMING = 5
EXCHANGE = 10


def cool(step: Step, freezer: Thing) -> None:
    """A freezer that works gets colder; else it gets warmer."""
    if freezer["on"] and not freezer["open"]:
        step.change(freezer, "cools", temp=max(COLDEST, freezer["temp"] - freezer["power"]))
    else:
        step.change(freezer, "warms", temp=min(ROOM_TEMP, freezer["temp"] + WARMING))


def follow(step: Step, thing: Thing) -> None:
    """A thing takes on the temp of the freezer that it is in, or of the room."""
    place = thing.place
    if place is not None and place.kind == "Freezer":
        because = f"is in the {place.label} of temp {place['temp']}"
        step.change(thing, because, temp=_towards(thing["temp"], place["temp"], EXCHANGE))
    else:
        step.change(thing, "warms", temp=_towards(thing["temp"], ROOM_TEMP, WARMING))


def _towards(temp: int, target: int, most: int) -> int:
    """``temp`` moved towards ``target`` by at most ``most``."""
    return temp + max(-most, min(most, target - temp))


def freeze(step: Step, liquid: Thing) -> None:
    """A liquid at 0 or below becomes a solid."""
    if liquid["temp"] <= 0:
        step.turn(liquid, "freezes", into=Plan("Solid", f"frozen {liquid.noun}", liquid.properties))


def thaw(step: Step, solid: Thing) -> None:
    """A solid above 0 becomes a liquid."""
    if solid["temp"] > 0:
        noun = solid.noun.removeprefix("frozen ")
        step.turn(solid, "thaws", into=Plan("Liquid", noun, solid.properties))


def held_solids(world: World) -> int:
    """Solids that the agent holds."""
    return sum(thing.kind == "Solid" for thing in world.agent.contains)


def layout(dice: Dice) -> World:
    """A room with one or two freezers, which may be cold and closed, and one or two liquids."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    freezers = [
        Plan("Freezer", noun, {"open": dice.chance(50), "on": on, "temp": temp, "power": power})
        for noun in names.alike(FREEZERS, dice.integer(1, 2))
        for on, temp in [(dice.chance(60), dice.integer(-4, 4) * 5)]
        for power in [dice.integer(2, 4) * 5]
    ]
    liquids = [
        Plan("Liquid", noun, {"temp": dice.integer(2, 4) * 5})
        for noun in dice.shuffled(LIQUIDS)[: dice.integer(1, 2)]
    ]
    world.scatter(dice, [*freezers, *liquids])
    return world


def gold(world: World) -> str:
    """Put a liquid into a freezer, let it freeze, take it out."""
    freezer = world.all("Freezer")[0]
    things = world.all("Solid") + world.all("Liquid")
    thing = next((thing for thing in things if thing.place is freezer), things[0])
    if thing.place is freezer and thing["temp"] > -2 * WARMING:
        if freezer["open"]:
            return f"close {freezer.name}"
        return "wait" if freezer["on"] else f"turn on {freezer.name}"
    if not freezer["open"]:
        return f"open {freezer.name}"
    if thing.place is world.agent:
        return f"put {thing.name} in {freezer.name}"
    return f"take {thing.name}"


FOLLOW = Tick(
    f"Per tick, its temp moves by at most {EXCHANGE} towards the temp of the Freezer that it is in,"
    f" or else by at most {WARMING} towards {ROOM_TEMP}.",
    follow,
)
THING = {"temp": "how warm it is"}

GAME = Game(
    name="freezer",
    task="Freeze something and hold it in your hands.",
    kinds=(
        Kind(
            "Freezer",
            "A device that cools what is in it.",
            {
                "open": "whether it is open",
                "on": "whether it cools",
                "temp": "how warm it is",
                "power": "how fast it cools",
            },
            ticks=(
                Tick(
                    "Per tick, its temp falls by its power, down to"
                    f" {COLDEST}, if it is on and not open; else its temp rises by {WARMING}, up to"
                    f" {ROOM_TEMP}.",
                    cool,
                ),
            ),
            container=True,
        ),
        Kind(
            "Solid",
            "A frozen liquid.",
            THING,
            ticks=(
                FOLLOW,
                Tick(
                    "Per tick, it turns into a Liquid with 'frozen' gone from its name if its temp"
                    " is above 0.",
                    thaw,
                ),
            ),
            portable=True,
        ),
        Kind(
            "Liquid",
            "Something that freezes.",
            THING,
            ticks=(
                FOLLOW,
                Tick(
                    "Per tick, it turns into a Solid with 'frozen' before its name if its temp is 0"
                    " or less.",
                    freeze,
                ),
            ),
            portable=True,
        ),
        Kind("Room", "The place of the game."),
    ),
    verbs=(*opening("Freezer"), *switching("Freezer"), *CARRY, *IDLE),
    goals=(
        Goal("there is a Solid", lambda world: bool(world.all("Solid"))),
        Goal("the agent holds a Solid", held_solids, points=2),
    ),
    layout=layout,
    gold=gold,
)
