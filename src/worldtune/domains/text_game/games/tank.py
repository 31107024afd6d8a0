"""Tank: taps fill tanks, a full tank overflows into a basin, tanks leak, floats turn taps off.

Time does it all: a chain of flows from tap to tank to basin in every tick, and few of the actions
change anything but what flows. A tank with a broken float overflows for as long as its tap is on.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Loss, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE, opening, switching
from worldtune.domains.text_game.games.words import FINDS, ROOMS, VESSELS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, Value, World

WANTED = 4


def flow(step: Step, tap: Thing) -> None:
    """A tap that is on gives water; one with a good float turns itself off at a full tank."""
    tank = tap.place
    if tank is None or not tap["on"]:
        return
    if tank["water"] >= tank["size"] and not tap["broken"]:
        step.change(tap, f"is in the full {tank.label}", on=False)
    else:
        step.change(tank, f"has the {tap.label} that is on", water=tank["water"] + tap["power"])


def overflow(step: Step, tank: Thing) -> None:
    """What a tank cannot hold goes into the basin."""
    extra = tank["water"] - tank["size"]
    if extra > 0:
        step.change(tank, "overflows", water=tank["size"])
        basin = _basin(step.world)
        step.change(basin, f"gets {extra}", water=basin["water"] + extra)


def leak(step: Step, tank: Thing) -> None:
    """Water is lost through a leak that nothing plugs."""
    if tank["leak"] > 0 and not any(inner.kind == "Find" for inner in tank.contains):
        step.change(tank, "leaks", water=max(0, tank["water"] - tank["leak"]))


def drain(step: Step, vessel: Thing) -> None:
    """Let the water out."""
    step.change(vessel, "is drained", water=0)


def _basin(world: World) -> Thing:
    return world.all("Basin")[0]


def is_filled(world: World) -> bool:
    """Whether the basin has enough water."""
    return bool(_basin(world)["water"] >= WANTED)


def is_done(world: World) -> bool:
    """Whether the basin has enough water and no tap is on."""
    return is_filled(world) and not world.all("Tap", on=True)


def is_flooded(world: World) -> bool:
    """Whether the basin has more water than it holds."""
    return bool(_basin(world)["water"] > _basin(world)["size"])


def layout(dice: Dice) -> World:
    """Two tanks that look alike with a tap each, one float broken, a basin, a plug."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    basin = {"water": dice.integer(0, 2), "size": dice.integer(8, 9)}
    tanks = [Plan("Tank", noun, _tank(dice)) for noun in names.alike(VESSELS, 2)]
    world.scatter(dice, [*tanks, Plan("Basin", "basin", basin), Plan("Find", names.draw(FINDS))])
    broken = dice.shuffled([True, False])
    for tank, is_broken in zip(world.all("Tank"), broken, strict=True):
        power = dice.integer(2, 5)
        world.add(Plan("Tap", "tap", {"on": False, "power": power, "broken": is_broken}), tank)
    return world


def _tank(dice: Dice) -> dict[str, Value]:
    size, leak = dice.integer(2, 5), dice.choice((0, 1, 2, 2))
    is_dry = leak > 0 and dice.chance(90)
    water = 0 if is_dry else dice.integer(0, size)
    return {"open": dice.chance(40), "water": water, "size": size, "leak": leak}


def gold(world: World) -> str:
    """Open and plug the tank of the broken tap, turn the tap on until the basin has enough."""
    tap = world.all("Tap", broken=True)[0]
    tank, plug = tap.place, world.all("Find")[0]
    assert tank is not None
    if not tank["open"]:
        return f"open {tank.name}"
    if is_filled(world):
        return f"turn off {tap.name}"
    if tank["leak"] > 0 and plug.place is not tank:
        held = plug.place is world.agent
        return f"put {plug.name} in {tank.name}" if held else f"take {plug.name}"
    return "wait" if tap["on"] else f"turn on {tap.name}"


WATER = {"water": "how much water is in it", "size": "how much it holds"}

GAME = Game(
    name="tank",
    task=f"Let a tank overflow until the basin has {WANTED} or more water, then turn off the taps.",
    kinds=(
        Kind(
            "Tap",
            "A tap that fills the tank that contains it; its float turns it off.",
            {"on": "whether water flows", "power": "how much", "broken": "whether its float is"},
            ticks=(
                Tick(
                    "Per tick, if it is on: if its broken is false and the water of its tank is the"
                    " tank's size or more, its on becomes false; else the water of its tank rises"
                    " by the tap's power.",
                    flow,
                ),
            ),
        ),
        Kind(
            "Tank",
            "Something that holds water.",
            {"open": "whether its lid is open", **WATER, "leak": "how much it loses"},
            ticks=(
                Tick(
                    "Per tick, if its water is more than its size, the extra water goes into the"
                    " Basin: the basin's water rises by it, and the tank's water becomes its size.",
                    overflow,
                ),
                Tick(
                    "Per tick, its water falls by its leak, down to 0, unless it contains a Find.",
                    leak,
                ),
            ),
            container=True,
        ),
        Kind(
            "Basin",
            "A basin for the water that tanks cannot hold.",
            WATER,
        ),
        Kind("Find", "Something that plugs the leak of the tank it is in.", portable=True),
        Kind("Room", "The place of the game."),
    ),
    verbs=(
        *opening("Tank"),
        *switching("Tap"),
        Verb("drain {Tank|Basin}", "Its water becomes 0.", drain, weight=1),
        *CARRY,
        *IDLE,
    ),
    goals=(
        Goal(f"the water of the Basin is {WANTED} or more", is_filled),
        Goal(f"the water of the Basin is {WANTED} or more and no Tap is on", is_done, points=2),
    ),
    layout=layout,
    gold=gold,
    losses=(Loss("the water of the Basin is more than its size", is_flooded),),
)
