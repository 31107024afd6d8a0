"""Garden: plants that are watered grow, and grown plants bear fruit; how much is up to chance."""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE
from worldtune.domains.text_game.games.words import BOXES, FRUIT, OUTDOORS, PLANTS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

GROWN = 3
NUM_FRUIT = ((0, 30), (1, 30), (2, 20), (3, 15), (4, 5))  # number, percent
WANTED = 2


def water(step: Step, plant: Thing) -> None:
    """Give a plant water for some ticks."""
    step.change(plant, "is watered", water=plant["water"] + 2)


def grow(step: Step, plant: Thing) -> None:
    """With water a plant grows or bears, without it shrinks."""
    if plant["water"] == 0:
        step.change(plant, "is dry", grown=max(0, plant["grown"] - 1))
        return
    step.change(plant, "drinks", water=plant["water"] - 1)
    if plant["grown"] < GROWN:
        step.change(plant, "has water", grown=plant["grown"] + 1)
    else:
        _bear(step, plant)


def _bear(step: Step, plant: Thing) -> None:
    for fruit in tuple(plant.contains):
        step.remove(fruit, "is overripe")
    num_fruit = step.dice.weighted(NUM_FRUIT)
    if num_fruit == 0:
        step.say("By chance no fruit appears.")
    for _ in range(num_fruit):
        step.create(Plan("Fruit", plant["fruit"]), plant, cause=plant, because="is grown")


def fruit_in_boxes(world: World) -> int:
    """Fruit in a box."""
    return sum(inner.kind == "Fruit" for box in world.all("Box") for inner in box.contains)


def layout(dice: Dice) -> World:
    """A garden with one or two plants, some of them dry or small, and a box."""
    names = Names(dice)
    world = World(Plan("Ground", names.draw(OUTDOORS)))
    plants = [
        Plan("Plant", noun, {"water": water, "grown": grown, "fruit": dice.choice(FRUIT)})
        for noun in names.alike(PLANTS, dice.integer(1, 2))
        for water, grown in [(dice.integer(0, 4), dice.integer(GROWN - 1, GROWN))]
    ]
    world.scatter(dice, [*plants, Plan("Box", names.draw(BOXES))])
    return world


def gold(world: World) -> str:
    """Bring fruit into the box; water the most grown plant until there is some."""
    box = world.all("Box")[0]
    fruit = [thing for thing in world.all("Fruit") if thing.place is not box]
    if fruit and fruit[0].place is world.agent:
        return f"put {fruit[0].name} in {box.name}"
    if fruit:
        return f"take {fruit[0].name}"
    plant = max(world.all("Plant"), key=lambda plant: int(plant["grown"]))
    return "wait" if plant["water"] > 1 else f"water {plant.name}"


GAME = Game(
    name="garden",
    task=f"Harvest {WANTED} pieces of fruit.",
    kinds=(
        Kind(
            "Plant",
            "Grows and bears fruit.",
            {
                "water": "for how many ticks it has water",
                "grown": f"how grown it is, from 0 to {GROWN}",
                "fruit": "the name of its fruit",
            },
            ticks=(
                Tick(
                    "Per tick, the grown of a plant whose water is 0 falls by 1, down to 0. Else"
                    f" its water falls by 1, and its grown rises by 1 if it is below {GROWN}. If it"
                    f" was {GROWN} already, all that the plant contains is removed, and 0 to"
                    f" {NUM_FRUIT[-1][0]} new Fruit, with the plant's fruit as name, appear in it:"
                    " how many is random.",
                    grow,
                ),
            ),
        ),
        Kind("Fruit", "Something to eat.", portable=True),
        Kind("Box", "Holds the harvest.", container=True),
        Kind("Ground", "The place of the game."),
    ),
    verbs=(
        Verb("water {Plant}", "The plant's water rises by 2.", water, weight=10),
        *CARRY,
        *IDLE,
    ),
    goals=(Goal("Fruit in a Box", fruit_in_boxes, enough=WANTED),),
    layout=layout,
    gold=gold,
)
