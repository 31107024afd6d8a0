"""Laundry: machines that run for some ticks; clothes come out clean and wet, then dry.

Dirty clothes have things in their pockets, and what they are is up to chance.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.finds import Finds, Option
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE, opening, switching
from worldtune.domains.text_game.games.words import CLOTHES, FINDS, ROOMS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

CYCLE = 2  # ticks of a run
POCKETS = Finds(Option("Find", FINDS))


def search(step: Step, clothes: Thing) -> None:
    """Look into the pockets of dirty clothes; random finds fall out of them."""
    place = step.world.agent.place
    assert place is not None
    if clothes["dirty"]:
        POCKETS.appear(step, place, cause=clothes, because="is searched")


def run_down(step: Step, machine: Thing) -> None:
    """A closed machine that is on counts down, does its work at the end and stops."""
    if not machine["on"]:
        return
    if machine["open"]:
        step.change(machine, "is open", on=False)
    elif machine["count"] > 1:
        step.change(machine, "is on", count=machine["count"] - 1)
    else:
        step.change(machine, "is done", on=False, count=CYCLE)
        for clothes in [thing for thing in machine.contains if thing.kind == "Clothes"]:
            _treat(step, machine, clothes)


def _treat(step: Step, machine: Thing, clothes: Thing) -> None:
    if machine.kind == "Dryer":
        step.change(clothes, "is dried", wet=False)
        return
    step.change(clothes, "is washed", dirty=False, wet=True)


def ready_clothes(world: World) -> int:
    """Whether the agent holds clothes that are clean and dry."""
    return any(thing.place is world.agent for thing in world.all("Clothes", dirty=False, wet=False))


def layout(dice: Dice) -> World:
    """A washer, a dryer and one or two pieces of clothing, dirty or wet, often in a machine."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    machines = [_machine(dice, kind) for kind in ("Washer", "Dryer")]
    world.scatter(dice, machines)
    for _ in range(dice.integer(1, 2)):
        dirty = dice.chance(70)
        clothes = Plan("Clothes", names.draw(CLOTHES), {"dirty": dirty, "wet": not dirty})
        machine = world.all("Washer" if dirty else "Dryer")[0]
        world.add(clothes, machine if dice.chance(40) else world.root)
    return world


def _machine(dice: Dice, kind: str) -> Plan:
    is_open = dice.chance(40)
    count = dice.integer(1, CYCLE)
    values = {"open": is_open, "on": not is_open and dice.chance(50), "count": count}
    return Plan(kind, kind.lower(), values)


def gold(world: World) -> str:
    """Wash, dry, take: bring the clothes that need least work through the machines."""
    clothes = min(world.all("Clothes"), key=lambda thing: (thing["dirty"], thing["wet"]))
    wanted = world.all("Washer" if clothes["dirty"] else "Dryer")[0]
    if clothes["dirty"] or clothes["wet"]:
        if clothes.place is wanted:
            if wanted["open"]:
                return f"close {wanted.name}"
            return "wait" if wanted["on"] else f"turn on {wanted.name}"
        if clothes.place is world.agent:
            if not wanted["open"]:
                return f"open {wanted.name}"
            return f"put {clothes.name} in {wanted.name}"
    place = clothes.place
    assert place is not None
    if place.properties.get("open") is False:
        return f"open {place.name}"
    return f"take {clothes.name}"


def _machine_kind(name: str, description: str, work: str) -> Kind:
    return Kind(
        name,
        description,
        {
            "open": "whether it is open",
            "on": "whether it runs",
            "count": "how many ticks a run takes from here",
        },
        ticks=(
            Tick(
                "Per tick, if it is on: if it is open, its on becomes false; else its count falls"
                f" by 1 if it is above 1; if it is 1, its on becomes false, its count becomes"
                f" {CYCLE}, and for each Clothes in it: {work}",
                run_down,
            ),
        ),
        container=True,
    )


GAME = Game(
    name="laundry",
    task="Hold clothes that are clean and dry.",
    kinds=(
        _machine_kind(
            "Washer",
            "Cleans the clothes in it.",
            "its dirty becomes false and its wet becomes true.",
        ),
        _machine_kind("Dryer", "Dries the clothes in it.", "its wet becomes false."),
        Kind(
            "Clothes",
            "Something to wear.",
            {"dirty": "whether it is dirty", "wet": "whether it is wet"},
            portable=True,
        ),
        Kind("Find", "What was in a pocket.", portable=True),
        Kind("Room", "The place of the game."),
    ),
    verbs=(
        Verb(
            "search {Clothes}",
            "If its dirty is true, 0 to 5 new Finds from its pockets appear in the room:"
            f" {POCKETS.rule}",
            search,
            weight=16,
        ),
        *opening("Washer|Dryer"),
        *switching("Washer|Dryer"),
        *CARRY,
        *IDLE,
    ),
    goals=(
        Goal(
            "there is a Clothes that is not dirty",
            lambda world: bool(world.all("Clothes", dirty=False)),
        ),
        Goal("the agent holds a Clothes that is not dirty and not wet", ready_clothes, points=2),
    ),
    layout=layout,
    gold=gold,
)
