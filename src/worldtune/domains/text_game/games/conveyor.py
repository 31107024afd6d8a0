"""Conveyor: a belt that is on carries items on, slot by slot, and sorts them into bins by colour.

The slot of an item is where it is on the belt, so the state shows what comes next. What no open bin
of its colour takes falls down at the end of the belt.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE, opening, switching
from worldtune.domains.text_game.games.words import BOXES, CLOTHES, ROOMS, TOOLS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

COLOURS = ("red", "yellow", "blue", "white", "black")
WANTED = 2


def carry(step: Step, belt: Thing) -> None:
    """Carry what is on a belt one slot on, or off the belt at its end."""
    if not belt["on"]:
        return
    for item in tuple(belt.contains):
        if item["slot"] < belt["size"]:
            step.change(item, f"is on the {belt.label} that is on", slot=item["slot"] + 1)
        else:
            _sort(step, item, belt)


def _sort(step: Step, item: Thing, belt: Thing) -> None:
    assert belt.place is not None
    bins = step.world.all("Bin", open=True, colour=item["colour"])
    if bins:
        step.move(item, f"is {item['colour']}", bins[0])
    else:
        step.move(item, f"is {item['colour']} and falls", belt.place)


def leave(step: Step, item: Thing) -> None:
    """What is not on a belt has no slot."""
    if item.place is not None and item.place.kind != "Belt":
        step.change(item, "is on no belt", slot=0)


def sorted_items(world: World) -> int:
    """Items in a bin."""
    return sum(item.place is not None and item.place.kind == "Bin" for item in world.all("Item"))


def layout(dice: Dice) -> World:
    """Bins and an item for each, named by colour; perhaps a second belt or an item for no bin."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    colours = dice.shuffled(COLOURS)
    num_belts, num_items = dice.choice([(1, 2), (1, 3), (2, 2)])
    belts = [
        Plan("Belt", noun, {"on": dice.chance(20), "size": dice.integer(1, 3)})
        for noun in names.alike(("belt",), num_belts)
    ]
    box = dice.choice(BOXES)
    bins = [
        Plan("Bin", f"{colour} {box}", {"colour": colour, "open": dice.chance(60)})
        for colour in colours[:2]
    ]
    items = [
        Plan("Item", f"{colour} {dice.choice(CLOTHES + TOOLS)}", {"colour": colour, "slot": 0})
        for colour in colours[:num_items]
    ]
    world.scatter(dice, [*belts, *bins, *items])
    return world


def gold(world: World) -> str:
    """Open the bins, put an item for each on the belt, turn the belt on."""
    belt, bins = world.all("Belt")[0], world.all("Bin")
    for box in bins:
        if not box["open"]:
            return f"open {box.name}"
    for box in bins:
        item = world.all("Item", colour=box["colour"])[0]
        if item.place is world.agent:
            return f"put {item.name} in {belt.name}"
        if item.place not in (belt, box):
            return f"take {item.name}"
    return "wait" if belt["on"] else f"turn on {belt.name}"


GAME = Game(
    name="conveyor",
    task=f"Let a belt sort {WANTED} items into bins.",
    kinds=(
        Kind(
            "Belt",
            "Carries what is on it to its end.",
            {"on": "whether it runs", "size": "the last slot"},
            ticks=(
                Tick(
                    "Per tick, if it is on, for each Item in it, one after the other: if the slot"
                    " of the item is less than the belt's size, it rises by 1; else the item moves"
                    " into the Bin whose open is true and whose colour is that of the item, or into"
                    " the place of the belt if there is none.",
                    carry,
                ),
            ),
            container=True,
        ),
        Kind(
            "Item",
            "Something to sort.",
            {"colour": "its colour", "slot": "where on a belt it is, from 0"},
            ticks=(Tick("Per tick, its slot becomes 0 if it is in no Belt.", leave),),
            portable=True,
        ),
        Kind(
            "Bin",
            "Takes items of one colour from belts.",
            {"colour": "the colour of the items", "open": "whether it takes any"},
        ),
        Kind("Room", "The place of the game."),
    ),
    verbs=(*switching("Belt"), *opening("Bin"), *CARRY, *IDLE),
    goals=(Goal("Item in a Bin", sorted_items, enough=WANTED),),
    layout=layout,
    gold=gold,
)
