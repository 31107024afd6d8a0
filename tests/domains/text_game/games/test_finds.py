"""Random finds: how many, of which kinds, and when there is no room."""

import pytest

from worldtune.domains.text_game.games.dice import Dice, FixedDice
from worldtune.domains.text_game.games.finds import MOST_OBJECTS, Finds, Option
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.world import Plan, World

FINDS = Finds(Option("Find", ("leaf", "bone"), 40), Option("Food", ("fig",), 60))


def after_finds(dice: Dice, *, num_things: int) -> Step:
    """A search in a place that holds so many things beside the agent."""
    world = World(Plan("Ground", "park"))
    for _ in range(num_things):
        world.add(Plan("Spot", "rock"))
    step = Step(world, dice)
    FINDS.appear(step, world.root, cause=world.root, because="is searched")
    return step


def test_the_least_outcome_is_nothing_and_the_most_is_five() -> None:
    least = after_finds(FixedDice("first"), num_things=1)
    assert least.sentences == ["By chance nothing is found."]
    most = after_finds(FixedDice("last"), num_things=1)
    assert [thing.noun for thing in most.world.root.contains[2:]] == ["fig"] * 5


def test_finds_stop_where_the_world_is_full() -> None:
    most = after_finds(FixedDice("last"), num_things=5)
    assert len(list(most.world.root.with_contents())) == MOST_OBJECTS
    full = after_finds(FixedDice("last"), num_things=7)
    assert (full.dice.num_draws, full.sentences) == (0, [])


def test_kinds_and_names_come_as_often_as_the_rule_says() -> None:
    dice = Dice("finds")
    nouns = [FINDS.draw(dice).noun for _ in range(3000)]
    for noun, share in (("leaf", 0.2), ("bone", 0.2), ("fig", 0.6)):
        assert nouns.count(noun) / 3000 == pytest.approx(share, abs=0.04)
    assert FINDS.rule == (
        "how many is random (0 in 25, 1 in 25, 2 in 20, 3 in 15, 4 in 10, 5 in 5 of 100 cases), and"
        " so is each of them: a Find (leaf, bone) in 40, a Food (fig) in 60 of 100 cases. They"
        " appear only as long as there are fewer than 9 objects in all."
    )
