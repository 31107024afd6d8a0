"""Smelter: melt a stone at its own melting point, pour it into a mould, take the casting.

A game to hold out: things get hot as in ``oven`` and are poured as in ``kettle``, but what becomes
of a liquid is new: in a cup it hardens into what the cup is a mould of.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.oven import HEAT, ROOM_TEMP, THING
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE, opening, switching
from worldtune.domains.text_game.games.words import CUPS, OVENS, ROOMS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

ORES = ("stone", "rock")
CASTINGS = ("ring", "coin", "crown", "medal", "bell")


def melt(step: Step, solid: Thing) -> None:
    """A solid that is hot enough becomes a liquid."""
    if solid["temp"] >= solid["limit"]:
        liquid = Plan("Liquid", f"melted {solid.noun}", solid.properties)
        step.turn(solid, "is hot enough", into=liquid)


def harden(step: Step, liquid: Thing) -> None:
    """A liquid in a cup that is cold enough becomes what the cup is a mould of."""
    cup = liquid.place
    if cup is not None and cup.kind == "Cup" and liquid["temp"] < liquid["limit"]:
        casting = Plan("Find", cup["wanted"], {"temp": liquid["temp"]})
        step.turn(liquid, f"is cold enough in the {cup.label}", into=casting)


def pour(step: Step, liquid: Thing, cup: Thing) -> None:
    """Move a liquid into an empty cup."""
    if not cup.contains:
        step.move(liquid, "is poured", cup)


def held_castings(world: World) -> int:
    """Whether the agent holds a casting."""
    return any(thing.kind == "Find" for thing in world.agent.contains)


def layout(dice: Dice) -> World:
    """One or two ovens, moulds and stones; stones that look alike melt at temps of their own."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    ovens = [
        Plan("Oven", noun, {"open": dice.chance(60), "on": False, "power": dice.integer(2, 6) * 5})
        for noun in names.alike(OVENS, dice.integer(1, 2))
    ]
    cups = [
        Plan("Cup", names.draw(CUPS), {"wanted": wanted})
        for wanted in dice.shuffled(CASTINGS)[: dice.integer(1, 2)]
    ]
    solids = [
        Plan("Solid", noun, {"temp": ROOM_TEMP, "limit": dice.integer(6, 9) * 5})
        for noun in names.alike(ORES, dice.integer(1, 2))
    ]
    world.scatter(dice, [*ovens, *cups, *solids])
    return world


def gold(world: World) -> str:
    """Melt a stone, pour it into a cup, take what it has become."""
    oven, cup = world.all("Oven")[0], world.all("Cup")[0]
    thing = (world.all("Find") + world.all("Liquid") + world.all("Solid"))[0]
    if thing.place is cup:
        return f"take {thing.name}" if thing.kind == "Find" else "wait"
    if thing.place is oven:
        return _melt_and_pour(thing, oven, cup)
    if not oven["open"]:
        return f"open {oven.name}"
    return (
        f"put {thing.name} in {oven.name}" if thing.place is world.agent else f"take {thing.name}"
    )


def _melt_and_pour(thing: Thing, oven: Thing, cup: Thing) -> str:
    if thing.kind == "Liquid":
        return f"pour {thing.name} into {cup.name}" if oven["open"] else f"open {oven.name}"
    if oven["open"]:
        return f"close {oven.name}"
    return "wait" if oven["on"] else f"turn on {oven.name}"


MELT = Tick(
    "Per tick, it turns into a Liquid with 'melted' before its name and the same properties if its"
    " temp is at least its limit.",
    melt,
)
HARDEN = Tick(
    "Per tick, if it is in a Cup and its temp is below its limit, it turns into a Find with the"
    " cup's wanted as name and its temp as the only property.",
    harden,
)

GAME = Game(
    name="smelter",
    task="Melt a stone, pour it into a mould and take what it becomes.",
    kinds=(
        Kind("Find", "Something cast in a mould.", THING, (HEAT,), portable=True),
        Kind(
            "Liquid",
            "A melted solid.",
            {**THING, "limit": "below this temp it hardens in a Cup"},
            (HEAT, HARDEN),
        ),
        Kind(
            "Solid",
            "A stone.",
            {**THING, "limit": "the temp at which it melts"},
            (HEAT, MELT),
            portable=True,
        ),
        Kind(
            "Oven",
            "A device that heats what is in it.",
            {"open": "whether it is open", "on": "whether it heats", "power": "how much it heats"},
            container=True,
        ),
        Kind("Cup", "A mould.", {"wanted": "what it is a mould of"}),
        Kind("Room", "The place of the game."),
    ),
    verbs=(
        Verb(
            "pour {Liquid} into {Cup}",
            "If the cup contains nothing, the liquid moves into the cup.",
            pour,
        ),
        *opening("Oven"),
        *switching("Oven"),
        *CARRY,
        *IDLE,
    ),
    goals=(
        Goal("there is a Find", lambda world: bool(world.all("Find"))),
        Goal("the agent holds a Find", held_castings, points=2),
    ),
    layout=layout,
    gold=gold,
)
