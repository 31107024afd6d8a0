"""What a rule may do to a world, and the sentence that says so.

Every change of a game goes through one of these methods. Each makes the change and appends one
plain sentence with the same numbers and ids to ``sentences``: the reasoning of a row cannot
contradict the row. ``because`` is the reason as a verb phrase about the thing ("is on"). A rule
that changes nothing says nothing.
"""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.world import Plan, Thing, Value, World


class Step:
    """One step of a game while its rules apply."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world = world
        self.dice = dice
        self.sentences: list[str] = []

    def say(self, sentence: str) -> None:
        """Append a sentence that no change stands behind, such as what chance did not bring."""
        self.sentences.append(sentence)

    def change(self, thing: Thing, because: str, **values: Value) -> None:
        """Set properties; those that have the value already are left alone."""
        parts = [
            f"its {name} {_transition(thing[name], value)}"
            for name, value in values.items()
            if thing[name] != value
        ]
        if parts:
            thing.properties.update(values)
            self.say(f"The {thing.label} {because}, so {' and '.join(parts)}.")

    def move(self, thing: Thing, because: str, place: Thing) -> None:
        """Put a thing into another one, where it becomes the last."""
        old = _place_of(thing)
        if old is place:
            return
        thing.move_to(place)
        self.say(
            f"The {thing.label} {because}, so it goes from the {old.label} to the {place.label}."
        )

    def create(self, plan: Plan, place: Thing, *, cause: Thing, because: str) -> Thing:
        """Make a new thing, the last of its place, with the next free uuid."""
        thing = self.world.add(plan, place)
        self.say(f"The {cause.label} {because}, so the {thing.label} appears in the {place.label}.")
        return thing

    def remove(self, thing: Thing, because: str) -> None:
        """Take a thing out of the world for good; what it contains goes to where it was."""
        place = _place_of(thing)
        for inner in tuple(thing.contains):
            self.move(inner, f"is left by the {thing.label}", place)
        place.contains.remove(thing)
        thing.place = None
        self.say(f"The {thing.label} {because}, so it disappears.")

    def turn(self, thing: Thing, because: str, *, into: Plan) -> None:
        """Make another kind of thing of it, under another name; the uuid and the place stay."""
        old = thing.label
        thing.noun, thing.kind, thing.properties = into.noun, into.kind, dict(into.properties)
        self.say(f"The {old} {because}, so it turns into the {thing.label}.")


def _place_of(thing: Thing) -> Thing:
    assert thing.place is not None, f"{thing.name} is the root or was removed"
    return thing.place


def _transition(old: Value, new: Value) -> str:
    if isinstance(new, bool):
        return f"becomes {str(new).lower()}"
    if isinstance(new, str):
        return f"becomes {new}"
    return f"goes from {old} to {new}"
