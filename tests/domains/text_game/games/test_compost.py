"""Compost, step by step with numbers worked out by hand."""

from tests.domains.text_game.games.moves import facts, play
from worldtune.domains.text_game.games.compost import GAME
from worldtune.domains.text_game.games.world import Plan, World


def heap_with_an_egg(*, temp: int, age: int) -> World:
    """Ground 0, agent 1, closed heap 2 with egg 3, apple 4 on the ground."""
    world = World(Plan("Ground", "park"))
    heap = world.add(Plan("Heap", "old box", {"open": False, "temp": temp}))
    world.add(Plan("Food", "egg", {"age": age}), heap)
    world.add(Plan("Food", "apple", {"age": 1}))
    return world


def test_food_rots_to_scraps_and_the_heap_gets_warmer() -> None:
    world, reasoning = play(GAME, heap_with_an_egg(temp=20, age=2), "wait")
    assert facts(world.find(3)) == ("scraps", "Scraps", {"age": 0}, 2)
    assert world.find(2)["temp"] == 30
    assert facts(world.find(4)) == ("apple", "Food", {"age": 1}, 0)
    assert reasoning == (
        "The egg 3 is in the closed cold old box 2, so its age goes from 2 to 3."
        " The egg 3 is rotten, so it turns into the scraps 3."
        " The old box 2 is closed and rots what is in it, so its temp goes from 20 to 30."
    )


def test_a_warm_heap_rots_by_two_and_scraps_end_as_compost() -> None:
    world, _ = play(GAME, heap_with_an_egg(temp=30, age=0), "wait", "wait")
    assert facts(world.find(3)) == ("scraps", "Scraps", {"age": 0}, 2)  # 0 + 2 + 2 is above 3
    assert world.find(2)["temp"] == 50
    world, _ = play(GAME, world, "wait", "wait")
    assert facts(world.find(3)) == ("compost", "Compost", {}, 2)
    assert world.find(2)["temp"] == 10  # nothing rots any more
    assert world.score == {"score": 1, "gameOver": False, "gameWon": False}
    world, _ = play(GAME, world, "open old box (ID: 2)", "take compost (ID: 3)")
    assert world.score == {"score": 3, "gameOver": True, "gameWon": True}


def test_an_open_heap_is_cold_and_rots_nothing() -> None:
    world, reasoning = play(GAME, heap_with_an_egg(temp=40, age=2), "open old box (ID: 2)")
    assert facts(world.find(3)) == ("egg", "Food", {"age": 2}, 2)
    assert world.find(2).properties == {"open": True, "temp": 10}
    assert reasoning == (
        "The old box 2 is opened, so its open becomes true."
        " The old box 2 is open, so its temp goes from 40 to 10."
    )


def test_sliced_food_is_replaced_by_two_scraps_where_it_was() -> None:
    world, _ = play(GAME, heap_with_an_egg(temp=10, age=0), "slice apple (ID: 4)")
    assert [thing.uuid for thing in world.root.contains] == [1, 2, 5, 6]
    assert facts(world.find(6)) == ("scraps", "Scraps", {"age": 0}, 0)
