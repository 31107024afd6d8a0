"""Mine: dig for ore by the light of a lamp; what a dig brings to light is up to chance.

The pick gets blunt, the lamp of the agent burns down and the rubble of earlier digs is cleared
away, all sure. A dig finds nothing, one thing or several, ore or rubble, which is not.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.finds import Finds, Option
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import IDLE, TAKE
from worldtune.domains.text_game.games.words import FINDS, GROUND, ORES, PICKS, ROOMS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

DUG_UP = Finds(Option("Rubble", FINDS, 60), Option("Ore", ORES, 40))
SHARP = 5
FULL_LAMP = 4
WANTED = 2


def dig(step: Step, rock: Thing, pick: Thing) -> None:
    """With light and a pick that is not blunt, random things come out of the rock."""
    if pick["count"] == 0 or step.world.agent["light"] == 0:
        return
    step.change(pick, "is used", count=pick["count"] - 1)
    for rubble in step.world.all("Rubble"):
        step.remove(rubble, "is cleared away")
    DUG_UP.appear(step, rock, cause=rock, because="is dug")


def sharpen(step: Step, pick: Thing) -> None:
    """Make a pick as good as new."""
    step.change(pick, "is sharpened", count=SHARP)


def fill_lamp(step: Step) -> None:
    """Light for some steps."""
    step.change(step.world.agent, "fills the lamp", light=FULL_LAMP)


def burn(step: Step, agent: Thing) -> None:
    """The lamp burns down."""
    step.change(agent, "uses the lamp", light=max(0, agent["light"] - 1))


def held_ore(world: World) -> int:
    """Ores that the agent holds."""
    return sum(inner.kind == "Ore" for inner in world.agent.contains)


def layout(dice: Dice) -> World:
    """A place with a rock or two, two picks and some light or none."""
    names = Names(dice)
    world = World(Plan("Mine", names.draw(ROOMS)), {"light": dice.integer(0, FULL_LAMP)})
    rocks = [Plan("Rock", noun) for noun in names.alike(GROUND, dice.integer(1, 2))]
    picks = [
        Plan("Pick", noun, {"count": dice.integer(2, SHARP)}) for noun in names.alike(PICKS, 2)
    ]
    world.scatter(dice, [*rocks, *picks])
    return world


def gold(world: World) -> str:
    """Take ore that was found, else dig, by light and with a sharp pick."""
    ores = [ore for ore in world.all("Ore") if ore.place is not world.agent]
    if ores:
        return f"take {ores[0].name}"
    if world.agent["light"] == 0:
        return "fill lamp"
    pick = max(world.all("Pick"), key=lambda pick: int(pick["count"]))
    if pick["count"] == 0:
        return f"sharpen {pick.name}"
    return f"dig {world.all('Rock')[0].name} with {pick.name}"


GAME = Game(
    name="mine",
    task=f"Find {WANTED} pieces of ore and take them.",
    kinds=(
        Kind("Pick", "Something to dig with.", {"count": "how many digs it is still good for"}),
        Kind("Rock", "Something to dig in; it holds what was dug up."),
        Kind("Ore", "What is dug for.", portable=True),
        Kind("Rubble", "A thing without worth.", portable=True),
        Kind(
            "Agent",
            "The player, with a lamp; it contains what it holds.",
            {"light": "how long the lamp still burns"},
            ticks=(Tick("Per tick, light falls by 1, down to 0.", burn),),
        ),
        Kind("Mine", "The place of the game."),
    ),
    verbs=(
        Verb(
            "dig {Rock} with {Pick}",
            "If the pick's count and the agent's light are not 0, the pick's count falls by 1,"
            " every Rubble disappears, and then 0 to 5 new objects appear in the rock:"
            f" {DUG_UP.rule}",
            dig,
            weight=12,
        ),
        Verb("sharpen {Pick}", f"Its count becomes {SHARP}.", sharpen, weight=1),
        Verb("fill lamp", f"The agent's light becomes {FULL_LAMP}.", fill_lamp, weight=1),
        TAKE,
        *IDLE,
    ),
    goals=(Goal("Ore that the agent holds", held_ore, enough=WANTED),),
    layout=layout,
    gold=gold,
)
