"""Oven: heat a solid until it melts, and take it out before it burns."""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Loss, Tick
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE, opening, switching
from worldtune.domains.text_game.games.words import OVENS, ROOMS, SOLIDS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

ROOM_TEMP = 20
COOLING = 5
MARGIN = 60  # from melting to burning


def heat(step: Step, thing: Thing) -> None:
    """A thing gets hotter in a hot oven, colder elsewhere."""
    place = thing.place
    if place is not None and place.kind == "Oven" and place["on"] and not place["open"]:
        step.change(thing, f"is in the hot {place.label}", temp=thing["temp"] + place["power"])
    else:
        step.change(thing, "cools", temp=max(ROOM_TEMP, thing["temp"] - COOLING))


def melt(step: Step, solid: Thing) -> None:
    """A solid that is hot enough becomes a liquid, which can burn later."""
    if solid["temp"] >= solid["limit"]:
        values = {"temp": solid["temp"], "limit": solid["limit"] + MARGIN}
        step.turn(solid, "is hot enough", into=Plan("Liquid", f"melted {solid.noun}", values))


def burn(step: Step, liquid: Thing) -> None:
    """A liquid that is too hot becomes ash."""
    if liquid["temp"] >= liquid["limit"]:
        step.turn(liquid, "is too hot", into=Plan("Ash", "ash", liquid.properties))


def held_liquids(world: World) -> int:
    """Liquids that the agent holds."""
    return sum(thing.kind == "Liquid" for thing in world.agent.contains)


def layout(dice: Dice) -> World:
    """A room with an oven, often a second one that heats less or more, and one or two solids."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    ovens = [
        Plan("Oven", noun, {"open": is_open, "on": not is_open, "power": dice.integer(2, 6) * 5})
        for noun in names.alike(OVENS, dice.integer(1, 2))
        for is_open in [dice.chance(60)]
    ]
    solids = [
        Plan("Solid", noun, {"temp": ROOM_TEMP, "limit": dice.integer(3, 7) * 10})
        for noun in dice.shuffled(SOLIDS)[: dice.integer(1, 2)]
    ]
    world.scatter(dice, [*ovens, *solids])
    return world


def gold(world: World) -> str:
    """Put a solid into an oven, heat it until it melts, take it out."""
    oven = world.all("Oven")[0]
    things = world.all("Liquid") + world.all("Solid")
    thing = next((thing for thing in things if thing.place is oven), things[0])
    if thing.place is oven and thing.kind == "Solid":
        if oven["open"]:
            return f"close {oven.name}"
        return "wait" if oven["on"] else f"turn on {oven.name}"
    if not oven["open"]:
        return f"open {oven.name}"
    if thing.place is world.agent:
        return f"put {thing.name} in {oven.name}"
    return f"take {thing.name}"


HEAT = Tick(
    "Per tick, its temp rises by the oven's power if it is in an Oven that is on and not open; else"
    f" its temp falls by {COOLING}, down to {ROOM_TEMP}.",
    heat,
)
THING = {"temp": "how hot it is"}

GAME = Game(
    name="oven",
    task="Melt something and hold it in your hands, but do not burn it.",
    kinds=(
        Kind(
            "Oven",
            "A device that heats what is in it.",
            {"open": "whether it is open", "on": "whether it heats", "power": "how much it heats"},
            container=True,
        ),
        Kind(
            "Liquid",
            "A melted solid.",
            {**THING, "limit": "the temp at which it burns"},
            ticks=(
                HEAT,
                Tick(
                    "Per tick, it turns into an Ash called ash with the same properties if its temp"
                    " is at least its limit.",
                    burn,
                ),
            ),
            portable=True,
        ),
        Kind(
            "Solid",
            "Something that melts.",
            {**THING, "limit": "the temp at which it melts"},
            ticks=(
                HEAT,
                Tick(
                    "Per tick, it turns into a Liquid, with 'melted' before its name and a limit"
                    f" that is higher by {MARGIN}, if its temp is at least its limit.",
                    melt,
                ),
            ),
            portable=True,
        ),
        Kind("Ash", "What is left of something burnt.", {**THING, "limit": "has no use"}),
        Kind("Room", "The place of the game."),
    ),
    verbs=(*opening("Oven"), *switching("Oven"), *CARRY, *IDLE),
    goals=(
        Goal("there is a Liquid", lambda world: bool(world.all("Liquid"))),
        Goal("the agent holds a Liquid", held_liquids, points=2),
    ),
    losses=(Loss("there is an Ash", lambda world: bool(world.all("Ash"))),),
    layout=layout,
    gold=gold,
)
