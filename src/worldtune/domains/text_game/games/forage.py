"""Forage: search places and bring food home; what a search finds is up to chance.

The model of a game with outcomes that the input does not determine: each search finds nothing, one
thing or several, of random kinds, beside changes that are sure (a search is counted, what it
tramples is gone, light fades).
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.finds import Finds, Option
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE
from worldtune.domains.text_game.games.words import (
    BOXES,
    FINDS,
    FOODS,
    FRUIT,
    GROUND,
    OUTDOORS,
    PLANTS,
    Names,
)
from worldtune.domains.text_game.games.world import Plan, Thing, World

FOUND = Finds(Option("Food", FRUIT + FOODS, percent=70), Option("Find", FINDS, percent=30))
DAY = 9
WANTED = 2


def search(step: Step, spot: Thing) -> None:
    """Count the search; random finds appear in the spot, by daylight."""
    step.change(spot, "is searched", count=spot["count"] + 1)
    for left in tuple(spot.contains):
        step.remove(left, "is trampled")
    if step.world.root["light"] == 0:
        return
    FOUND.appear(step, spot, cause=spot, because="is searched")


def fade(step: Step, place: Thing) -> None:
    """Light fades; a new day follows the night."""
    if place["light"] == 0:
        step.change(place, "has a new morning", light=DAY)
    else:
        step.change(place, "gets darker", light=place["light"] - 1)


def food_at_home(world: World) -> int:
    """Foods in a box."""
    return sum(inner.kind == "Food" for box in world.all("Box") for inner in box.contains)


def layout(dice: Dice) -> World:
    """An outdoor place with two spots to search and a box for what is found."""
    names = Names(dice)
    world = World(Plan("Ground", names.draw(OUTDOORS), {"light": dice.integer(2, DAY)}))
    spots = [
        Plan("Spot", names.draw(PLANTS + GROUND), {"count": dice.integer(0, 3)}) for _ in range(2)
    ]
    world.scatter(dice, [*spots, Plan("Box", names.draw(BOXES))])
    return world


def gold(world: World) -> str:
    """Bring food home that is held or lies about, else search, by daylight."""
    box = world.all("Box")[0]
    foods = [food for food in world.all("Food") if food.place is not box]
    if foods and foods[0].place is world.agent:
        return f"put {foods[0].name} in {box.name}"
    if foods:
        return f"take {foods[0].name}"
    if world.root["light"] == 0:
        return "wait"
    return f"search {world.all('Spot')[0].name}"


GAME = Game(
    name="forage",
    task=f"Find food and bring home {WANTED} pieces of it.",
    kinds=(
        Kind("Spot", "Something to search.", {"count": "how often it was searched"}),
        Kind("Food", "Something to eat.", portable=True),
        Kind("Find", "Something that cannot be eaten.", portable=True),
        Kind("Box", "Holds what is brought home.", container=True),
        Kind(
            "Ground",
            "The place of the game.",
            {"light": "how much daylight there is"},
            ticks=(Tick(f"Per tick, light falls by 1, or if it was 0 it becomes {DAY}.", fade),),
        ),
    ),
    verbs=(
        Verb(
            "search {Spot}",
            "The spot's count rises by 1, and what the spot contains is removed. If the light of"
            " the ground is not 0, 0 to 5 new objects appear in the spot:"
            f" {FOUND.rule}",
            search,
            weight=20,
        ),
        *CARRY,
        *IDLE,
    ),
    goals=(Goal("Food in a Box", food_at_home, enough=WANTED),),
    layout=layout,
    gold=gold,
)
