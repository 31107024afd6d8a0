"""Conveyor, step by step with numbers worked out by hand."""

from tests.domains.text_game.games.moves import facts, play
from worldtune.domains.text_game.games.conveyor import GAME
from worldtune.domains.text_game.games.world import Plan, World


def belt_with_items(*, is_open: bool = True) -> World:
    """Room 0, agent 1, belt 2 of size 2 that is on, red hat 3 in slot 2, blue sock 4 in slot 0,
    red bin 5, blue bin 6."""
    world = World(Plan("Room", "hall"))
    belt = world.add(Plan("Belt", "belt", {"on": True, "size": 2}))
    world.add(Plan("Item", "red hat", {"colour": "red", "slot": 2}), belt)
    world.add(Plan("Item", "blue sock", {"colour": "blue", "slot": 0}), belt)
    for colour in ("red", "blue"):
        world.add(Plan("Bin", f"{colour} bag", {"colour": colour, "open": is_open}))
    return world


def test_items_move_on_and_the_last_slot_empties_into_the_bin_of_its_colour() -> None:
    world, reasoning = play(GAME, belt_with_items(), "wait")
    assert facts(world.find(3)) == ("red hat", "Item", {"colour": "red", "slot": 0}, 5)
    assert facts(world.find(4)) == ("blue sock", "Item", {"colour": "blue", "slot": 1}, 2)
    assert world.score["score"] == 1
    assert reasoning == (
        "The red hat 3 is red, so it goes from the belt 2 to the red bag 5."
        " The blue sock 4 is on the belt 2 that is on, so its slot goes from 0 to 1."
        " The red hat 3 is on no belt, so its slot goes from 2 to 0."
        " The score goes from 0 to 1."
    )
    world, _ = play(GAME, world, "wait", "wait")
    assert facts(world.find(4)) == ("blue sock", "Item", {"colour": "blue", "slot": 0}, 6)
    assert world.score == {"score": 2, "gameOver": True, "gameWon": True}


def test_an_item_without_an_open_bin_falls() -> None:
    world, _ = play(GAME, belt_with_items(is_open=False), "wait")
    assert facts(world.find(3)) == ("red hat", "Item", {"colour": "red", "slot": 0}, 0)
    assert world.score["score"] == 0


def test_nothing_moves_on_a_belt_that_is_off() -> None:
    world, reasoning = play(GAME, belt_with_items(), "turn off belt (ID: 2)", "wait")
    assert [world.find(uuid)["slot"] for uuid in (3, 4)] == [2, 0]
    assert reasoning == ""


def test_a_taken_item_has_no_slot_and_starts_again_at_the_first() -> None:
    world, _ = play(GAME, belt_with_items(), "take red hat (ID: 3)")
    assert facts(world.find(3)) == ("red hat", "Item", {"colour": "red", "slot": 0}, 1)
    world, _ = play(GAME, world, "put red hat (ID: 3) in belt (ID: 2)")
    assert world.find(3)["slot"] == 1
