"""Bakery: mix flour with water, bake the dough, slice the bread.

A game to hold out: mixing as in ``paint``, an oven as in ``oven`` that works by time, slicing as in
``compost``; as many slices appear as the bread counts, so counts add up over two rules.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Loss, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE, switching
from worldtune.domains.text_game.games.words import OVENS, ROOMS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

BAKED = 4
BURNT = 8
WANTED = 2


def mix(step: Step, flour: Thing, water: Thing) -> None:
    """Flour and water become dough."""
    dough = Plan("Food", "dough", {"age": 0, "count": flour["count"] + water["count"]})
    step.create(dough, step.world.root, cause=flour, because=f"is mixed with the {water.label}")
    step.remove(flour, "is used up")
    step.remove(water, "is used up")


def bake(step: Step, food: Thing) -> None:
    """Food in an oven that is on bakes: dough becomes bread, and anything burns in the end."""
    oven = food.place
    if oven is None or oven.kind != "Oven" or not oven["on"]:
        return
    old, new = food["age"], food["age"] + oven["power"]
    step.change(food, f"is in the hot {oven.label}", age=new)
    if new >= BURNT:
        step.turn(food, "is burnt", into=Plan("Scraps", "scraps", {"age": new}))
    elif old < BAKED <= new:
        step.turn(food, "is baked", into=Plan("Food", "bread", food.properties))


def slice_bread(step: Step, food: Thing) -> None:
    """Baked food becomes single slices."""
    place = food.place
    if place is None or food["age"] < BAKED or food["count"] == 1:
        return
    for _ in range(food["count"]):
        piece = Plan("Food", "slice", {"age": food["age"], "count": 1})
        step.create(piece, place, cause=food, because="is sliced")
    step.remove(food, "is used up")


def baked(world: World) -> list[Thing]:
    """Bread and slices."""
    return [food for food in world.all("Food") if food["age"] >= BAKED]


def slices(world: World) -> int:
    """Slices of bread."""
    return sum(food["count"] == 1 for food in baked(world))


def layout(dice: Dice) -> World:
    """One or two each of flour, water and ovens, which bake at speeds of their own."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    ovens = [
        Plan("Oven", noun, {"on": dice.chance(30), "power": dice.integer(1, 3)})
        for noun in names.alike(OVENS, dice.integer(1, 2))
    ]
    parts = [
        Plan(kind, names.draw([noun]), {"count": dice.integer(1, 2)})
        for kind, noun in (("Solid", "flour"), ("Water", "water"))
        for _ in range(dice.integer(1, 2))
    ]
    world.scatter(dice, [*ovens, *parts])
    return world


def gold(world: World) -> str:
    """Mix dough, bake it, take the bread out of the oven, slice it."""
    oven, foods = world.all("Oven")[0], world.all("Food")
    if not foods:
        return f"mix {world.all('Solid')[0].name} with {world.all('Water')[0].name}"
    food = foods[0]
    if food in baked(world):
        return f"take {food.name}" if food.place is oven else f"slice {food.name}"
    if food.place is oven:
        return "wait" if oven["on"] else f"turn on {oven.name}"
    if food.place is world.agent:
        return f"put {food.name} in {oven.name}"
    return f"take {food.name}"


GAME = Game(
    name="bakery",
    task=f"Bake bread, slice it into {WANTED} or more slices, and burn nothing.",
    kinds=(
        Kind(
            "Food",
            "Dough, bread or a slice of it.",
            {"age": "how baked it is", "count": "how many slices it gives"},
            ticks=(
                Tick(
                    "Per tick, if it is in an Oven that is on, its age rises by the oven's power."
                    f" If its age is {BURNT} or more then, it turns into Scraps called scraps with"
                    f" its age as the only property; else, if its age was below {BAKED} and is now"
                    f" {BAKED} or more, it is called bread.",
                    bake,
                ),
            ),
            portable=True,
        ),
        Kind(
            "Oven",
            "A device that bakes.",
            {"on": "whether it bakes", "power": "how fast it bakes"},
            container=True,
        ),
        Kind("Solid", "Flour.", {"count": "how much it is"}),
        Kind("Water", "Makes dough of flour.", {"count": "how much it is"}),
        Kind("Scraps", "What is left of burnt food.", {"age": "has no use"}),
        Kind("Room", "The place of the game."),
    ),
    verbs=(
        Verb(
            "mix {Solid} with {Water}",
            "A new Food called dough appears in the room, and both are removed. Its age is 0, its"
            " count is the sum of theirs.",
            mix,
        ),
        Verb(
            "slice {Food}",
            f"If its age is {BAKED} or more and its count is above 1, as many new Foods called"
            " slice as its count appear in its place, each with its age and with count 1, and it is"
            " removed.",
            slice_bread,
        ),
        *switching("Oven"),
        *CARRY,
        *IDLE,
    ),
    goals=(
        Goal(f"there is a Food whose age is {BAKED} or more", lambda world: bool(baked(world))),
        Goal(f"Food whose age is {BAKED} or more and whose count is 1", slices, enough=WANTED),
    ),
    losses=(Loss("there are Scraps", lambda world: bool(world.all("Scraps"))),),
    layout=layout,
    gold=gold,
)
