"""Random finds: 0 to 5 new things, each of a kind of its own, as long as there is room for them.

Games of uncertain outcome share the numbers: finding nothing and finding one thing are common, so
that what is worth predicting differs from what is likely, and no world grows without bound. The
rule text is made from the same table as the draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.world import Plan, Thing

NUM_FINDS = ((0, 25), (1, 25), (2, 20), (3, 15), (4, 10), (5, 5))  # number, percent
MOST_OBJECTS = 9


@dataclass(frozen=True)
class Option:
    """A kind of find: its names, all equally likely, and how many of 100 finds are of the kind."""

    kind: str
    nouns: Sequence[str]
    percent: int = 100


class Finds:
    """What can be found in a game; the percents of the options add up to 100."""

    def __init__(self, *options: Option) -> None:
        self._options = options

    @property
    def rule(self) -> str:
        """What the rule text says of them, a clause that continues a sentence."""
        counts = ", ".join(f"{number} in {percent}" for number, percent in NUM_FINDS)
        kinds = ", ".join(
            f"a {option.kind} ({', '.join(option.nouns)}) in {option.percent}"
            for option in self._options
        )
        return (
            f"how many is random ({counts} of 100 cases), and so is each of them: {kinds} of 100"
            f" cases. They appear only as long as there are fewer than {MOST_OBJECTS} objects in"
            " all."
        )

    def appear(self, step: Step, place: Thing, *, cause: Thing, because: str) -> None:
        """Draw how many appear in ``place``, then each of them; no draw if there is no room."""
        room = room_for_finds(step)
        if room == 0:
            return
        num_finds = min(room, step.dice.weighted(NUM_FINDS))
        if num_finds == 0:
            step.say("By chance nothing is found.")
        for _ in range(num_finds):
            step.create(self.draw(step.dice), place, cause=cause, because=because)

    def draw(self, dice: Dice) -> Plan:
        """One find."""
        option = dice.weighted([(option, option.percent) for option in self._options])
        return Plan(option.kind, dice.choice(option.nouns))


def room_for_finds(step: Step) -> int:
    """How many objects can still appear."""
    return max(0, MOST_OBJECTS - sum(1 for _ in step.world.root.with_contents()))
