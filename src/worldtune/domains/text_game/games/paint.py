"""Paint: mix colours and paint a canvas; mixing removes two paints and creates one."""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import IDLE
from worldtune.domains.text_game.games.words import CANVASES, COLOURS, ROOMS, Names
from worldtune.domains.text_game.games.world import Plan, Thing, Value, World

MIXTURES = {
    "orange": ("red", "yellow"),
    "purple": ("red", "blue"),
    "green": ("yellow", "blue"),
    "pink": ("red", "white"),
    "grey": ("black", "white"),
}
OTHER = "brown"
WET = 2


def mix(step: Step, first: Thing, second: Thing) -> None:
    """Two paints become a third."""
    colour = _mixture(first["colour"], second["colour"])
    mixed = Plan("Paint", "paint", {"colour": colour, "count": first["count"] + second["count"]})
    place = step.world.root
    step.create(mixed, place, cause=first, because=f"is mixed with the {second.label}")
    step.remove(first, "is used up")
    step.remove(second, "is used up")


def _mixture(first: str, second: str) -> str:
    if first == second:
        return first
    parts = {first, second}
    return next((colour for colour, pair in MIXTURES.items() if set(pair) == parts), OTHER)


def paint(step: Step, canvas: Thing, paint: Thing) -> None:
    """Give a dry canvas the colour of a paint, of which less is left."""
    if canvas["wet"] > 0:
        return
    step.change(canvas, "is painted", colour=paint["colour"], wet=WET + 1)
    if paint["count"] > 1:
        step.change(paint, "is used", count=paint["count"] - 1)
    else:
        step.remove(paint, "is used up")


def dry(step: Step, canvas: Thing) -> None:
    """A wet canvas dries."""
    step.change(canvas, "dries", wet=max(0, canvas["wet"] - 1))


def right_canvases(world: World) -> int:
    """Whether a canvas has the colour that is wanted."""
    return any(canvas["colour"] == canvas["wanted"] for canvas in world.all("Canvas"))


def dry_right_canvases(world: World) -> int:
    """Whether a dry canvas has the colour that is wanted."""
    return any(canvas["colour"] == canvas["wanted"] for canvas in world.all("Canvas", wet=0))


def layout(dice: Dice) -> World:
    """A canvas, the two paints that give the wanted colour, often a third one."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    wanted = dice.choice(list(MIXTURES))
    colours = [*MIXTURES[wanted], *[dice.choice(COLOURS) for _ in range(dice.integer(0, 1))]]
    canvas: dict[str, Value] = {
        "colour": dice.choice(COLOURS),
        "wet": dice.integer(0, 2),
        "wanted": wanted,
    }
    paints = [
        Plan("Paint", "paint", {"colour": colour, "count": dice.integer(1, 3)})
        for colour in colours
    ]
    world.scatter(dice, [Plan("Canvas", names.draw(CANVASES), canvas), *paints])
    return world


def gold(world: World) -> str:
    """Mix the wanted colour, paint as soon as the canvas is dry, let it dry."""
    canvas = world.all("Canvas")[0]
    wanted = canvas["wanted"]
    mixed = world.all("Paint", colour=wanted)
    if canvas["colour"] == wanted:
        return "wait"
    if not mixed:
        first, second = (world.all("Paint", colour=part)[0] for part in MIXTURES[wanted])
        return f"mix {first.name} with {second.name}"
    return "wait" if canvas["wet"] > 0 else f"paint {canvas.name} with {mixed[0].name}"


_TABLE = ", ".join(f"{' and '.join(pair)} give {colour}" for colour, pair in MIXTURES.items())

GAME = Game(
    name="paint",
    task="Paint the canvas in the colour that is wanted, and let it dry.",
    kinds=(
        Kind(
            "Canvas",
            "Something to paint.",
            {
                "colour": "its colour",
                "wet": "for how many ticks it is wet",
                "wanted": "the colour that is wanted",
            },
            ticks=(Tick("Per tick, the wet of a canvas falls by 1, down to 0.", dry),),
        ),
        Kind("Paint", "Colours a canvas.", {"colour": "its colour", "count": "how much it is"}),
        Kind("Room", "The place of the game."),
    ),
    verbs=(
        Verb(
            "mix {Paint} with {Paint}",
            "A new Paint called paint appears in the room, and both paints are removed. Its count"
            f" is the sum of theirs. Its colour: {_TABLE}, equal colours stay as they are, all"
            f" others give {OTHER}.",
            mix,
        ),
        Verb(
            "paint {Canvas} with {Paint}",
            "If the canvas's wet is 0, its colour becomes that of the paint and its wet becomes"
            f" {WET + 1}; the paint's count falls by 1, and if it was 1, the paint is removed.",
            paint,
        ),
        *IDLE,
    ),
    goals=(
        Goal("the colour of a Canvas is its wanted", right_canvases),
        Goal("that is so for a Canvas whose wet is 0", dry_right_canvases, points=2),
    ),
    layout=layout,
    gold=gold,
)
