"""Smelter, step by step with numbers worked out by hand."""

from tests.domains.text_game.games.moves import facts, play
from worldtune.domains.text_game.games.smelter import GAME
from worldtune.domains.text_game.games.world import Plan, World


def hot_oven(*, temp: int, limit: int) -> World:
    """Room 0, agent 1, closed oven 2 of power 25 that is on with rock 3, mug 4 for a ring."""
    world = World(Plan("Room", "shed"))
    oven = world.add(Plan("Oven", "oven", {"open": False, "on": True, "power": 25}))
    world.add(Plan("Solid", "rock", {"temp": temp, "limit": limit}), oven)
    world.add(Plan("Cup", "mug", {"wanted": "ring"}))
    return world


def test_a_solid_melts_at_its_own_limit() -> None:
    world, reasoning = play(GAME, hot_oven(temp=20, limit=45), "wait")
    assert facts(world.find(3)) == ("melted rock", "Liquid", {"temp": 45, "limit": 45}, 2)
    assert reasoning == (
        "The rock 3 is in the hot oven 2, so its temp goes from 20 to 45."
        " The rock 3 is hot enough, so it turns into the melted rock 3."
    )
    world, _ = play(GAME, hot_oven(temp=20, limit=50), "wait")
    assert facts(world.find(3)) == ("rock", "Solid", {"temp": 45, "limit": 50}, 2)


def test_a_liquid_hardens_in_a_cup_below_its_limit_and_not_before() -> None:
    pour = "pour melted rock (ID: 3) into mug (ID: 4)"
    world, _ = play(GAME, hot_oven(temp=30, limit=45), "wait", "open oven (ID: 2)", pour)
    assert facts(world.find(3)) == ("melted rock", "Liquid", {"temp": 45, "limit": 45}, 4)
    world, reasoning = play(GAME, world, "wait")
    assert facts(world.find(3)) == ("ring", "Find", {"temp": 40}, 4)
    assert reasoning == (
        "The melted rock 3 cools, so its temp goes from 45 to 40."
        " The melted rock 3 is cold enough in the mug 4, so it turns into the ring 3."
        " The score goes from 0 to 1."
    )
    world, _ = play(GAME, world, "take ring (ID: 3)")
    assert facts(world.find(3)) == ("ring", "Find", {"temp": 35}, 1)
    assert world.score == {"score": 3, "gameOver": True, "gameWon": True}


def test_a_liquid_stays_liquid_in_the_oven_and_a_full_cup_takes_no_more() -> None:
    world, _ = play(GAME, hot_oven(temp=20, limit=45), "wait", "open oven (ID: 2)")
    assert facts(world.find(3)) == ("melted rock", "Liquid", {"temp": 40, "limit": 45}, 2)
    world.add(Plan("Find", "coin", {"temp": 20}), world.find(4))
    world, _ = play(GAME, world, "pour melted rock (ID: 3) into mug (ID: 4)")
    assert facts(world.find(3)) == ("melted rock", "Liquid", {"temp": 35, "limit": 45}, 2)
