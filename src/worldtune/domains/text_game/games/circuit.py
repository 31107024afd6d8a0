"""Circuit: put a battery, a wire and a lamp on a board; the lamp lights when the circuit closes."""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import CARRY, IDLE, switching
from worldtune.domains.text_game.games.words import BOARDS, LAMPS, ROOMS, WIRES, Names
from worldtune.domains.text_game.games.world import Plan, Thing, World


def flow(step: Step, board: Thing) -> None:
    """Current flows through a complete board: lamps light, batteries run down."""
    is_live = board["on"] and _has_working(board, "Battery") and _has_working(board, "Wire")
    state = "closes a circuit" if is_live else "closes no circuit"
    for part in board.contains:
        if part.kind == "Lamp":
            step.change(part, f"is on the {board.label} that {state}", on=is_live)
        if part.kind == "Battery" and is_live:
            step.change(part, "gives current", count=max(0, part["count"] - 1))


def go_out(step: Step, lamp: Thing) -> None:
    """A lamp that is on no board goes out."""
    if lamp.place is not None and lamp.place.kind != "Board":
        step.change(lamp, "is on no board", on=False)


def _has_working(board: Thing, kind: str) -> bool:
    return any(part.kind == kind and _works(part) for part in board.contains)


def _works(part: Thing) -> bool:
    return part["count"] > 0 if part.kind == "Battery" else not part["broken"]


def lamps_on_board(world: World) -> int:
    """Whether a board has a lamp."""
    return any(lamp.place in world.all("Board") for lamp in world.all("Lamp"))


def layout(dice: Dice) -> World:
    """A room with a board and its parts, some of them there; a part that does not work, often."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    parts = [
        Plan("Battery", names.draw(["battery"]), {"count": dice.integer(4, 9)}),
        Plan("Wire", names.draw(WIRES), {"broken": False}),
        Plan("Lamp", names.draw(LAMPS), {"on": False}),
    ]
    if dice.chance(30):
        parts.append(Plan("Battery", names.draw(["battery"]), {"count": 0}))
    elif dice.chance(40):
        parts.append(Plan("Wire", names.draw(WIRES), {"broken": True}))
    board = world.add(Plan("Board", names.draw(BOARDS), {"on": False}))
    for part in dice.shuffled(parts):
        percent = 25 if part.kind == "Lamp" else 60
        world.add(part, board if dice.chance(percent) else world.root)
    if not lamps_on_board(world):
        board.properties["on"] = dice.chance(80)
    return world


def gold(world: World) -> str:
    """Bring every part that works to the board, the battery last, then turn the board on."""
    board = world.all("Board")[0]
    for kind in ("Lamp", "Wire", "Battery"):
        parts = [part for part in world.all(kind) if kind == "Lamp" or _works(part)]
        if any(part.place is board for part in parts):
            continue
        part = parts[0]
        if part.place is world.agent:
            return f"put {part.name} in {board.name}"
        return f"take {part.name}"
    return "wait" if board["on"] else f"turn on {board.name}"


GAME = Game(
    name="circuit",
    task="Make a lamp light.",
    kinds=(
        Kind(
            "Board",
            "Connects the parts on it.",
            {"on": "whether its switch is on"},
            ticks=(
                Tick(
                    "Per tick, a board closes a circuit if it is on and contains a Battery whose"
                    " count is above 0 and a Wire that is not broken. Then the on of every Lamp in"
                    " it becomes true and the count of every Battery in it falls by 1, down to 0;"
                    " else the on of every Lamp in it becomes false.",
                    flow,
                ),
            ),
            container=True,
        ),
        Kind("Battery", "Gives current.", {"count": "for how many ticks"}, portable=True),
        Kind("Wire", "Leads current.", {"broken": "whether it leads none"}, portable=True),
        Kind(
            "Lamp",
            "Gives light.",
            {"on": "whether it gives light"},
            ticks=(Tick("Per tick, the on of a lamp that is in no Board becomes false.", go_out),),
            portable=True,
        ),
        Kind("Room", "The place of the game."),
    ),
    verbs=(*switching("Board"), *CARRY, *IDLE),
    goals=(
        Goal("a Lamp is in a Board", lamps_on_board),
        Goal("a Lamp is on", lambda world: bool(world.all("Lamp", on=True)), points=2),
    ),
    layout=layout,
    gold=gold,
)
