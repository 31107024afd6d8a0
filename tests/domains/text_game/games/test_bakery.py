"""Bakery, step by step with numbers worked out by hand."""

from tests.domains.text_game.games.moves import facts, play
from worldtune.domains.text_game.games.bakery import GAME
from worldtune.domains.text_game.games.world import Plan, World


def kitchen(*, power: int) -> World:
    """Room 0, agent 1, oven 2 that is on, two measures of flour 3, one of water 4."""
    world = World(Plan("Room", "kitchen"))
    world.add(Plan("Oven", "oven", {"on": True, "power": power}))
    world.add(Plan("Solid", "flour", {"count": 2}))
    world.add(Plan("Water", "water", {"count": 1}))
    return world


def with_bread(*, power: int, age: int, count: int) -> World:
    """The kitchen with bread 5 in the oven."""
    world = kitchen(power=power)
    world.add(Plan("Food", "bread", {"age": age, "count": count}), world.find(2))
    return world


def test_flour_and_water_become_dough_with_the_count_of_both() -> None:
    world, reasoning = play(GAME, kitchen(power=2), "mix flour (ID: 3) with water (ID: 4)")
    assert [thing.uuid for thing in world.root.contains] == [1, 2, 5]
    assert facts(world.find(5)) == ("dough", "Food", {"age": 0, "count": 3}, 0)
    assert reasoning == (
        "The flour 3 is mixed with the water 4, so the dough 5 appears in the kitchen 0."
        " The flour 3 is used up, so it disappears. The water 4 is used up, so it disappears."
    )


def test_dough_is_bread_at_age_4() -> None:
    world, _ = play(
        GAME,
        kitchen(power=3),
        "mix flour (ID: 3) with water (ID: 4)",
        "take dough (ID: 5)",
        "put dough (ID: 5) in oven (ID: 2)",
    )
    assert facts(world.find(5)) == ("dough", "Food", {"age": 3, "count": 3}, 2)
    world, _ = play(GAME, world, "wait")
    assert facts(world.find(5)) == ("bread", "Food", {"age": 6, "count": 3}, 2)
    assert world.score["score"] == 1


def test_bread_burns_at_age_8() -> None:
    world, _ = play(GAME, with_bread(power=1, age=6, count=2), "wait")
    assert facts(world.find(5)) == ("bread", "Food", {"age": 7, "count": 2}, 2)
    world, _ = play(GAME, world, "wait")
    assert facts(world.find(5)) == ("scraps", "Scraps", {"age": 8}, 2)
    assert world.score == {"score": 0, "gameOver": True, "gameWon": False}


def test_slicing_gives_as_many_slices_as_the_bread_counts_and_they_bake_on() -> None:
    world, _ = play(GAME, with_bread(power=1, age=4, count=3), "slice bread (ID: 5)")
    assert [thing.uuid for thing in world.find(2).contains] == [6, 7, 8]
    assert facts(world.find(8)) == ("slice", "Food", {"age": 5, "count": 1}, 2)
    assert world.score == {"score": 3, "gameOver": True, "gameWon": True}


def test_a_single_slice_and_dough_cannot_be_sliced() -> None:
    world, _ = play(GAME, kitchen(power=1), "mix flour (ID: 3) with water (ID: 4)")
    world, reasoning = play(GAME, world, "slice dough (ID: 5)")
    assert facts(world.find(5)) == ("dough", "Food", {"age": 0, "count": 3}, 0)
    assert reasoning == ""
    world, _ = play(GAME, with_bread(power=1, age=4, count=1), "slice bread (ID: 5)")
    assert facts(world.find(5)) == ("bread", "Food", {"age": 5, "count": 1}, 2)
