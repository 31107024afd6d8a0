"""Postbox: sort the mail; what the carrier brings and what is in a parcel is up to chance.

Mail comes by itself, tick by tick, as long as the postbox is closed. Each delivery is counted,
which is sure, and brings nothing, one piece or several, which is not.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.finds import MOST_OBJECTS, Finds, Option, room_for_finds
from worldtune.domains.text_game.games.game import Game, Goal, Kind, Tick, Verb
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.verbs import IDLE, opening
from worldtune.domains.text_game.games.words import (
    BOXES,
    CLOTHES,
    LETTERS,
    PARCELS,
    POSTBOXES,
    ROOMS,
    SHELVES,
    TOOLS,
    Names,
)
from worldtune.domains.text_game.games.world import Plan, Thing, World

MAIL = Finds(Option("Letter", LETTERS, 50), Option("Parcel", PARCELS, 50))
CONTENTS = Finds(Option("Gift", CLOTHES + TOOLS))
PIECES = "Letter|Parcel|Gift"


def deliver(step: Step, postbox: Thing) -> None:
    """The carrier comes to a closed postbox as long as there is room for mail."""
    if postbox["open"] or room_for_finds(step) == 0:
        return
    step.change(postbox, "is closed", count=postbox["count"] + 1)
    MAIL.appear(step, postbox, cause=postbox, because="gets mail")


def unwrap(step: Step, parcel: Thing) -> None:
    """Random gifts take the place of a parcel."""
    place = parcel.place
    assert place is not None
    step.remove(parcel, "is unwrapped")
    CONTENTS.appear(step, place, cause=place, because="held the parcel")


def sort(step: Step, piece: Thing, place: Thing) -> None:
    """Put a piece where it belongs, or where it does not."""
    step.move(piece, "is sorted", place)


def throw_away(step: Step, piece: Thing) -> None:
    """Out of the game."""
    step.remove(piece, "is thrown away")


def sorted_letters(world: World) -> int:
    """Letters in a tray."""
    return _count_in("Tray", "Letter", world)


def sorted_gifts(world: World) -> int:
    """Gifts in a shelf."""
    return _count_in("Shelf", "Gift", world)


def _count_in(place: str, kind: str, world: World) -> int:
    return sum(inner.kind == kind for outer in world.all(place) for inner in outer.contains)


def layout(dice: Dice) -> World:
    """A room with a postbox, closed or open, a tray and a shelf."""
    names = Names(dice)
    world = World(Plan("Room", names.draw(ROOMS)))
    postbox = Plan(
        "Postbox",
        names.draw(POSTBOXES),
        {"open": dice.chance(40), "count": dice.integer(0, 9)},
    )
    tray, shelf = Plan("Tray", names.draw(BOXES)), Plan("Shelf", names.draw(SHELVES))
    world.scatter(dice, [postbox, tray, shelf])
    return world


def gold(world: World) -> str:
    """Wait for mail, sort and unwrap what is of use, throw the rest away, wait for more."""
    postbox = world.all("Postbox")[0]
    if not postbox["open"]:
        return f"open {postbox.name}" if postbox.contains else "wait"
    kinds = {piece.kind: piece for piece in postbox.contains}
    if "Letter" in kinds and sorted_letters(world) == 0:
        return f"sort {kinds['Letter'].name} into {world.all('Tray')[0].name}"
    if sorted_gifts(world) == 0 and "Gift" in kinds:
        return f"sort {kinds['Gift'].name} into {world.all('Shelf')[0].name}"
    if sorted_gifts(world) == 0 and "Parcel" in kinds:
        return f"unwrap {kinds['Parcel'].name}"
    if postbox.contains:
        return f"throw away {postbox.contains[0].name}"
    return f"close {postbox.name}"


GAME = Game(
    name="postbox",
    task="Sort the mail: a letter into the tray, a gift into the shelf.",
    kinds=(
        Kind("Letter", "Mail to read."),
        Kind("Parcel", "Mail to unwrap."),
        Kind("Gift", "Something that was in a parcel."),
        Kind("Tray", "A place for letters."),
        Kind("Shelf", "A place for gifts."),
        Kind(
            "Postbox",
            "The carrier puts the mail into it.",
            {"open": "whether it is open", "count": "how often the carrier came"},
            ticks=(
                Tick(
                    f"Per tick, if open is false and there are fewer than {MOST_OBJECTS} objects in"
                    " all, the postbox's count rises by 1 and 0 to 5 new objects appear in it:"
                    f" {MAIL.rule}",
                    deliver,
                ),
            ),
        ),
        Kind("Room", "The place of the game."),
    ),
    verbs=(
        Verb(
            "unwrap {Parcel}",
            f"The parcel disappears and 0 to 5 new objects appear where it was: {CONTENTS.rule}",
            unwrap,
            weight=8,
        ),
        Verb(f"sort {{{PIECES}}} into {{Tray|Shelf}}", "The piece moves there.", sort),
        Verb(f"throw away {{{PIECES}}}", "The piece disappears.", throw_away, weight=1),
        *opening("Postbox"),
        *IDLE,
    ),
    goals=(
        Goal("a Tray contains a Letter", sorted_letters),
        Goal("a Shelf contains a Gift", sorted_gifts),
    ),
    layout=layout,
    gold=gold,
)
