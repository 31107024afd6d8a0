"""Weather: bring in the laundry dry; what weather comes, and what it brings along, is up to chance.

The weather stays for some steps and is part of the state, so what it does to the laundry is sure.
Rain and wind bring along nothing, one thing or several, which is not, and calm weather may end at
any step.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.finds import Finds, Option
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE
from worldtune.domains.text_game.games.words import BOXES, CLOTHES, FINDS, OUTDOORS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World

BROUGHT = Finds(Option("Find", FINDS))
WEATHERS = (("sun", 25), ("rain", 25), ("wind", 50))  # weather, percent
NEW_WEATHER_PERCENT = 25
LONGEST = 3
WET = 2
DAMP = 1


def wet_or_dry(step: Step, laundry: Thing) -> None:
    """Rain soaks the laundry outside; sun and wind dry it."""
    if laundry.place is not step.world.root:
        return
    weather = _weather(step.world)
    if weather == "rain":
        step.change(laundry, "is in the rain", water=WET)
    elif weather == "sun":
        step.change(laundry, "is in the sun", water=0)
    elif weather == "wind":
        step.change(laundry, "is in the wind", water=max(0, laundry["water"] - 1))


def bring_along(step: Step, place: Thing) -> None:
    """Rain and wind carry off the first find and bring others."""
    weather = _weather(step.world)
    if weather not in ("rain", "wind"):
        return
    finds = step.world.all("Find")
    if finds:
        step.remove(finds[0], f"is carried off by the {weather}")
    BROUGHT.appear(step, place, cause=place, because=f"is in the {weather}")


def turn_weather(step: Step, sky: Thing) -> None:
    """Weather lasts for its count of steps, then it is calm, until chance brings other weather."""
    if sky["weather"] != "calm":
        count = sky["count"] - 1
        step.change(sky, "lets time pass", count=count)
        if count == 0:
            step.change(sky, "calms down", weather="calm")
    elif step.dice.chance(NEW_WEATHER_PERCENT):
        weather = step.dice.weighted(WEATHERS)
        count = step.dice.integer(1, LONGEST)
        step.change(sky, "changes", weather=weather, count=count)
    else:
        step.say("By chance the weather stays calm.")


def wring(step: Step, laundry: Thing) -> None:
    """Wet laundry becomes damp; only the weather dries it."""
    step.change(laundry, "is wrung", water=min(DAMP, laundry["water"]))


def dry_laundry(world: World) -> int:
    """Dry laundry in a box."""
    boxes = world.all("Box")
    return sum(laundry.place in boxes for laundry in world.all("Laundry", water=0))


def _weather(world: World) -> str:
    return str(world.all("Sky")[0]["weather"])


def layout(dice: Dice) -> World:
    """A place with a sky, wet laundry and a box."""
    names = Names(dice)
    world = World(Plan("Ground", names.draw(OUTDOORS)))
    weather = "calm" if dice.chance(50) else dice.weighted(WEATHERS)
    count = 0 if weather == "calm" else dice.integer(1, LONGEST)
    laundry = [
        Plan("Laundry", noun, {"water": dice.integer(1, WET)})
        for noun in names.alike(CLOTHES, dice.integer(1, 2))
    ]
    sky = Plan("Sky", "sky", {"weather": weather, "count": count})
    world.scatter(dice, [*laundry, sky, Plan("Box", names.draw(BOXES))])
    return world


def gold(world: World) -> str:
    """Wring laundry that is wet, wait until it is dry, then bring it in."""
    laundry = min(world.all("Laundry"), key=lambda laundry: int(laundry["water"]))
    box = world.all("Box")[0]
    if laundry["water"] > DAMP and _weather(world) != "rain":
        return f"wring {laundry.name}"
    if laundry["water"] > 0:
        return "wait"
    if laundry.place is world.agent:
        return f"put {laundry.name} in {box.name}"
    return f"take {laundry.name}"


GAME = Game(
    name="weather",
    task="Bring in the laundry: put it in the box when it is dry.",
    kinds=(
        Kind(
            "Laundry",
            "Clothes to dry.",
            {"water": "how wet it is"},
            ticks=(
                Tick(
                    "Per tick, if the laundry is in the Ground: if the weather of the Sky is rain,"
                    f" its water becomes {WET}; if it is sun, its water becomes 0; if it is wind,"
                    " its water falls by 1, down to 0.",
                    wet_or_dry,
                ),
            ),
            portable=True,
        ),
        Kind("Find", "Something that rain or wind brought along."),
        Kind("Box", "Keeps dry what is in it.", container=True),
        Kind(
            "Ground",
            "The place of the game.",
            ticks=(
                Tick(
                    "Per tick, if the weather of the Sky is rain or wind, the first Find disappears"
                    f" and then 0 to 5 new objects appear in the Ground: {BROUGHT.rule}",
                    bring_along,
                ),
            ),
        ),
        Kind(
            "Sky",
            "It makes the weather.",
            {
                "weather": "calm, sun, rain or wind",
                "count": "how many more steps the weather stays",
            },
            ticks=(
                Tick(
                    "Per tick, if the weather is not calm, the sky's count falls by 1, and if it is"
                    " then 0, the weather becomes calm. If the weather was calm already, in"
                    f" {NEW_WEATHER_PERCENT} of 100 cases it becomes another at random"
                    f" ({', '.join(f'{weather} in {percent}' for weather, percent in WEATHERS)} of"
                    f" 100 cases), and its count becomes a random number from 1 to {LONGEST}, all"
                    " equally likely.",
                    turn_weather,
                ),
            ),
        ),
    ),
    verbs=(
        Verb("wring {Laundry}", f"Its water becomes {DAMP} if it was more.", wring, weight=1),
        *CARRY,
        *IDLE,
    ),
    goals=(Goal("a Box contains Laundry with water 0", dry_laundry),),
    layout=layout,
    gold=gold,
)
