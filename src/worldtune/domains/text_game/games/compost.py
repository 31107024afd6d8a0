"""Compost: food in a closed heap rots into scraps, and scraps into compost, faster in a warm heap.

Decay over time in two stages, at a rate that depends on another object, which changes over time as
well. The thing that rots keeps its uuid and becomes a thing of another kind.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE, opening
from worldtune.domains.text_game.games.words import (
    BAKING,
    BOXES,
    FINDS,
    FOODS,
    FRUIT,
    OUTDOORS,
    Names,
)
from worldtune.domains.text_game.games.world import Plan, Thing, World

COLD = 10
WARMING = 10
WARM = 30
HOTTEST = 50
ROTTEN = 3  # age at which the next stage begins
PIECES = 2  # of sliced food
SCRAPS = Plan("Scraps", "scraps", {"age": 0})
ROTTING = {"Food": SCRAPS, "Scraps": Plan("Compost", "compost")}


def rot(step: Step, thing: Thing) -> None:
    """Food in a closed heap becomes scraps, scraps become compost."""
    heap = thing.place
    if heap is None or heap.kind != "Heap" or heap["open"]:
        return
    warmth, rate = ("warm", 2) if heap["temp"] >= WARM else ("cold", 1)
    step.change(thing, f"is in the closed {warmth} {heap.label}", age=thing["age"] + rate)
    if thing["age"] >= ROTTEN:
        step.turn(thing, "is rotten", into=ROTTING[thing.kind])


def slice_food(step: Step, food: Thing) -> None:
    """Food becomes several scraps."""
    place = food.place
    assert place is not None
    for _ in range(PIECES):
        step.create(SCRAPS, place, cause=food, because="is sliced")
    step.remove(food, "is used up")


def warm_or_cool(step: Step, heap: Thing) -> None:
    """A closed heap with something to rot gets warmer; any other is cold."""
    if not heap["open"] and any(thing.kind in ROTTING for thing in heap.contains):
        temp = min(HOTTEST, heap["temp"] + WARMING)
        step.change(heap, "is closed and rots what is in it", temp=temp)
    else:
        step.change(heap, "is open" if heap["open"] else "has nothing to rot", temp=COLD)


def held_compost(world: World) -> int:
    """Whether the agent holds compost."""
    return any(thing.kind == "Compost" for thing in world.agent.contains)


def layout(dice: Dice) -> World:
    """Two heaps that look alike, food of different age, and something that never rots."""
    names = Names(dice)
    world = World(Plan("Ground", names.draw(OUTDOORS)))
    heaps = [
        Plan("Heap", noun, {"open": dice.chance(50), "temp": COLD})
        for noun in names.alike(BOXES, 2)
    ]
    foods = [
        Plan("Food", names.draw(FRUIT + FOODS + BAKING), {"age": dice.integer(0, ROTTEN - 1)})
        for _ in range(dice.integer(1, 3))
    ]
    world.scatter(dice, [*heaps, *foods, Plan("Find", names.draw(FINDS))])
    return world


def gold(world: World) -> str:
    """Put food or scraps into a heap, close it until there is compost, take the compost."""
    heap, foods = world.all("Heap")[-1], world.all(*ROTTING)
    if any(food.place is heap for food in foods):
        return f"close {heap.name}" if heap["open"] else "wait"
    if not heap["open"]:
        return f"open {heap.name}"
    if heap.contains:
        return f"take {heap.contains[0].name}"
    if len(foods) == 1:
        return f"slice {foods[0].name}"
    if foods[0].place is world.agent:
        return f"put {foods[0].name} in {heap.name}"
    return f"take {foods[0].name}"


def _rotting(name: str, description: str, becomes: str) -> Kind:
    rule = (
        "Per tick, its age rises by 1 in a Heap whose open is false, or by 2 if the temp of that"
        f" heap is {WARM} or more. If its age is {ROTTEN} or more then, it turns into {becomes}."
    )
    return Kind(name, description, {"age": "how rotten it is"}, (Tick(rule, rot),), portable=True)


GAME = Game(
    name="compost",
    task="Let food rot to compost and take the compost.",
    kinds=(
        _rotting("Scraps", "Half rotten.", "Compost called compost without properties"),
        _rotting("Food", "Something that rots.", "Scraps called scraps with age 0"),
        Kind("Compost", "What is left of scraps.", portable=True),
        Kind("Find", "Something that never rots.", portable=True),
        Kind(
            "Heap",
            "Something in which food rots.",
            {
                "open": "whether things go in and out; nothing rots in it then",
                "temp": "how hot it is",
            },
            ticks=(
                Tick(
                    "Per tick, the temp of a Heap whose open is false and that contains Food or"
                    f" Scraps rises by {WARMING}, up to {HOTTEST}. The temp of any other Heap"
                    f" becomes {COLD}.",
                    warm_or_cool,
                ),
            ),
            container=True,
        ),
        Kind("Ground", "The place of the game."),
    ),
    verbs=(
        Verb(
            "slice {Food}",
            f"{PIECES} new Scraps called scraps with age 0 appear in its place, and it is removed.",
            slice_food,
        ),
        *opening("Heap"),
        *CARRY,
        *IDLE,
    ),
    goals=(
        Goal("there is Compost", lambda world: bool(world.all("Compost"))),
        Goal("the agent holds Compost", held_compost, points=2),
    ),
    layout=layout,
    gold=gold,
)
