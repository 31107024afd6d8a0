"""Scale: two pans, the heavier one goes down; make them balance."""

from itertools import combinations

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE
from worldtune.domains.text_game.games.words import FINDS, ROOMS, SIDES, TOOLS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World


def weigh(step: Step, pan: Thing) -> None:
    """Measure what is in a pan, and see whether that is more than in the other one."""
    weight, other = _load(pan), sum(map(_load, step.world.all("Pan"))) - _load(pan)
    step.change(pan, f"holds {weight} against {other}", weight=weight, down=weight > other)


def _load(pan: Thing) -> int:
    return sum(thing["weight"] for thing in pan.contains)


def loaded_pans(world: World) -> int:
    """Pans with something in them."""
    return sum(bool(pan.contains) for pan in world.all("Pan"))


def balances(world: World) -> int:
    """Whether the pans hold the same weight, and more than nothing."""
    first, second = world.all("Pan")
    return bool(first.contains) and _load(first) == _load(second)


def layout(dice: Dice) -> World:
    """Two pans and three things: two of one weight, or one as heavy as the others together."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    first, second = dice.integer(1, 9), dice.integer(1, 9)
    weights = dice.choice([(first, first, second), (first, second, first + second)])
    pans = [Plan("Pan", f"{side} pan", {"weight": 0, "down": False}) for side in SIDES]
    things = [Plan("Weight", names.draw(FINDS + TOOLS), {"weight": weight}) for weight in weights]
    world.scatter(dice, [*pans, *things])
    return world


def gold(world: World) -> str:
    """Find two groups of one weight and bring each into a pan."""
    pans = world.all("Pan")
    for thing, pan in _plan(world.all("Weight"), pans):
        if thing.place is world.agent:
            return f"put {thing.name} in {pan.name}"
        if thing.place is not pan:
            return f"take {thing.name}"
    return "wait"


def _plan(things: list[Thing], pans: list[Thing]) -> list[tuple[Thing, Thing]]:
    """Which thing goes into which pan; the smallest groups that balance."""
    things = sorted(things, key=lambda thing: thing.uuid)
    for size in (1, 2):
        for group in combinations(things, size):
            for other in things:
                if other not in group and other["weight"] == sum(one["weight"] for one in group):
                    return [*((thing, pans[0]) for thing in group), (other, pans[1])]
    return []


GAME = Game(
    name="scale",
    task="Make the two pans balance, with something in each.",
    kinds=(
        Kind(
            "Pan",
            "One side of a scale.",
            {"weight": "what was measured", "down": "whether it is the lower one"},
            ticks=(
                Tick(
                    "Per tick, its weight becomes the sum of the weight of what it contains, and"
                    " its down becomes true if that sum is above the sum of the other Pan, else"
                    " false.",
                    weigh,
                ),
            ),
            container=True,
        ),
        Kind("Weight", "Something to weigh.", {"weight": "how heavy it is"}, portable=True),
        Kind("Room", "The place of the game."),
    ),
    verbs=(*CARRY, *IDLE),
    goals=(
        Goal("Pan that contains something", loaded_pans, enough=2),
        Goal("both Pans contain the same weight, and something", balances, points=2),
    ),
    layout=layout,
    gold=gold,
)
