"""Kettle: fill it, heat the water, pour it into a cup before it has boiled away.

The model of a game without chance. Water is an object of its own: filling creates it with a new
uuid, boiling takes a unit at a time until nothing is left of it and the object is removed.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import IDLE, switching
from worldtune.domains.text_game.games.words import CUPS, ROOMS, VESSELS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

TAP = 20  # temp of fresh water
BOILING = 100
COOLING = 5
HOT = 60


def fill(step: Step, kettle: Thing) -> None:
    """Fresh water into an empty kettle."""
    if not kettle.contains:
        water = Plan("Water", "water", {"temp": TAP, "count": kettle["size"]})
        step.create(water, kettle, cause=kettle, because="is filled")


def pour(step: Step, kettle: Thing, cup: Thing) -> None:
    """Move the water of a kettle into an empty cup."""
    if kettle.contains and not cup.contains:
        step.move(kettle.contains[0], "is poured", cup)


def heat_or_cool(step: Step, water: Thing) -> None:
    """Water boils away at the boiling point, gets hotter in a hot kettle, else gets colder."""
    place = water.place
    assert place is not None
    if place.kind == "Kettle" and place["on"]:
        if water["temp"] < BOILING:
            because = f"is in the {place.label} that is on"
            step.change(water, because, temp=min(BOILING, water["temp"] + place["power"]))
        elif water["count"] > 1:
            step.change(water, "boils", count=water["count"] - 1)
        else:
            step.remove(water, "has boiled away")
    else:
        step.change(water, "cools", temp=max(TAP, water["temp"] - COOLING))


def hot_cups(world: World) -> int:
    """Waters in a cup that are hot."""
    waters = world.all("Water")
    return any(_is_in_cup(water) and water["temp"] >= HOT for water in waters)


def cups_with_water(world: World) -> int:
    """Waters in a cup."""
    return any(map(_is_in_cup, world.all("Water")))


def _is_in_cup(water: Thing) -> bool:
    return water.place is not None and water.place.kind == "Cup"


def layout(dice: Dice) -> World:
    """A room with one or two kettles and a cup; water may be on the boil in one of them."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    kettles = [
        Plan("Kettle", noun, {"on": False, "power": dice.integer(2, 6) * 5, "size": size})
        for noun in names.alike(VESSELS, dice.integer(1, 2))
        for size in [dice.integer(1, 3)]
    ]
    world.scatter(dice, [*kettles, Plan("Cup", names.draw(CUPS))])
    if dice.chance(60):
        kettle = world.all("Kettle")[0]
        kettle.properties["on"] = True
        temp = dice.integer(14, 20) * 5
        world.add(Plan("Water", "water", {"temp": temp, "count": kettle["size"]}), kettle)
    return world


def gold(world: World) -> str:
    """Fill a kettle, turn it on, wait until the water is hot, pour."""
    kettle, cup = world.all("Kettle")[-1], world.all("Cup")[0]
    if not kettle.contains:
        return f"fill {kettle.name}"
    if not kettle["on"]:
        return f"turn on {kettle.name}"
    if kettle.contains[0]["temp"] < HOT + COOLING:
        return "wait"
    return f"pour {kettle.name} into {cup.name}"


GAME = Game(
    name="kettle",
    task="Serve hot water: pour hot water into a cup.",
    kinds=(
        Kind(
            "Kettle",
            "A device that heats the water in it.",
            {"on": "whether it heats", "power": "how much it heats", "size": "how much it holds"},
        ),
        Kind("Cup", "Something to drink from; it heats nothing."),
        Kind(
            "Water",
            "Water that fills what it is in.",
            {"temp": "how hot it is", "count": "how much there is"},
            ticks=(
                Tick(
                    "Per tick, the temp of water in a Kettle that is on rises by the kettle's"
                    f" power, up to {BOILING}. If it was {BOILING} already, the water's count falls"
                    " by 1 instead, and if its count was 1, the water is removed. The temp of any"
                    f" other water falls by {COOLING}, down to {TAP}.",
                    heat_or_cool,
                ),
            ),
        ),
        Kind("Room", "The place of the game."),
    ),
    verbs=(
        Verb(
            "fill {Kettle}",
            f"If the kettle contains nothing, a new Water called water with temp {TAP} and the"
            " kettle's size as count appears in it.",
            fill,
        ),
        Verb(
            "pour {Kettle} into {Cup}",
            "If the kettle contains water and the cup contains nothing, the water moves into the"
            " cup.",
            pour,
        ),
        *switching("Kettle"),
        *IDLE,
    ),
    goals=(
        Goal("a Cup contains water", cups_with_water),
        Goal(f"a Cup contains water with temp {HOT} or more", hot_cups, points=2),
    ),
    layout=layout,
    gold=gold,
)
