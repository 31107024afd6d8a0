"""Fishing: cast lines until there is enough fish in the bucket; what bites is up to chance.

A cast costs bait, wears the line and throws the junk of earlier casts away, which is sure; it
catches nothing, one thing or several, fish or junk, which is not.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.finds import Finds, Option
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import IDLE
from worldtune.domains.text_game.games.words import FINDS, FISH, LINES, OUTDOORS, VESSELS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

CATCH = Finds(Option("Junk", FINDS, 60), Option("Fish", FISH, 40))
FULL_BAIT = 4
WANTED = 3


def cast(step: Step, line: Thing) -> None:
    """Use up bait and get rid of junk; random things are caught."""
    if line["count"] == 0:
        return
    step.change(line, "is cast", count=line["count"] - 1, age=line["age"] + 1)
    for junk in step.world.all("Junk"):
        step.remove(junk, "is thrown away")
    CATCH.appear(step, step.world.all("Bucket")[0], cause=line, because="is cast")


def bait(step: Step, line: Thing) -> None:
    """Fresh bait on a line."""
    step.change(line, "is baited", count=FULL_BAIT)


def throw_back(step: Step, catch: Thing) -> None:
    """Out of the bucket and out of the game."""
    step.remove(catch, "is thrown back")


def fish_in_bucket(world: World) -> int:
    """Fish, which are always in the bucket."""
    return len(world.all("Fish"))


def layout(dice: Dice) -> World:
    """A place with two lines and a bucket that may hold a thing already."""
    names = Names(dice)
    world = World(Plan("Shore", names.draw(OUTDOORS)))
    lines = [
        Plan("Line", noun, {"count": dice.integer(1, FULL_BAIT), "age": dice.integer(0, 9)})
        for noun in names.alike(LINES, 2)
    ]
    world.scatter(dice, [*lines, Plan("Bucket", names.draw(VESSELS))])
    if dice.chance(50):
        world.add(CATCH.draw(dice), world.all("Bucket")[0])
    return world


def gold(world: World) -> str:
    """Cast the line with the most bait; bait it if it has none."""
    line = max(world.all("Line"), key=lambda line: int(line["count"]))
    return f"bait {line.name}" if line["count"] == 0 else f"cast {line.name}"


GAME = Game(
    name="fishing",
    task=f"Catch {WANTED} fish.",
    kinds=(
        Kind(
            "Line",
            "Something to fish with.",
            {"count": "how much bait is on it", "age": "how often it was cast"},
        ),
        Kind("Fish", "A fish that was caught."),
        Kind("Junk", "A thing that was caught and is no fish."),
        Kind("Bucket", "Holds what was caught."),
        Kind("Shore", "The place of the game."),
    ),
    verbs=(
        Verb(
            "cast {Line}",
            "If the line's count is not 0, its count falls by 1, its age rises by 1, every Junk"
            f" disappears, and then 0 to 5 new objects appear in the Bucket: {CATCH.rule}",
            cast,
            weight=8,
        ),
        Verb("bait {Line}", f"Its count becomes {FULL_BAIT}.", bait, weight=1),
        Verb("throw back {Fish|Junk}", "The object disappears.", throw_back, weight=1),
        *IDLE,
    ),
    goals=(Goal("Fish in the Bucket", fish_in_bucket, enough=WANTED),),
    layout=layout,
    gold=gold,
)
