"""Weather: what it does worked out by hand, which weather comes by its frequency."""

import pytest

from tests.domains.text_game.games.draws import none_one_or_more, play_least, shares
from tests.domains.text_game.games.moves import facts, play
from worldtune.domains.text_game.games.weather import GAME
from worldtune.domains.text_game.games.world import Plan, World


def yard(weather: str, count: int, *, wet: int) -> World:
    """Ground 0, agent 1, sky 2, shirt 3, bag 4, leaf 5."""
    world = World(Plan("Ground", "yard"))
    world.add(Plan("Sky", "sky", {"weather": weather, "count": count}))
    world.add(Plan("Laundry", "shirt", {"water": wet}))
    world.add(Plan("Box", "bag"))
    world.add(Plan("Find", "leaf"))
    return world


def test_rain_soaks_the_laundry_and_carries_a_find_off() -> None:
    world, reasoning = play_least(GAME, yard("rain", 2, wet=0), "wait")
    assert world.find(3)["water"] == 2
    assert reasoning == (
        "The shirt 3 is in the rain, so its water goes from 0 to 2."
        " The leaf 5 is carried off by the rain, so it disappears. By chance nothing is found."
        " The sky 2 lets time pass, so its count goes from 2 to 1."
    )


def test_sun_dries_the_laundry_and_its_last_step_is_followed_by_calm() -> None:
    world, _ = play(GAME, yard("sun", 1, wet=2), "wait")
    assert world.find(3)["water"] == 0
    assert facts(world.find(2)) == ("sky", "Sky", {"weather": "calm", "count": 0}, 0)
    assert world.find(5).noun == "leaf"


def test_wind_dries_by_one() -> None:
    world, _ = play_least(GAME, yard("wind", 3, wet=2), "wait")
    assert world.find(3)["water"] == 1
    assert world.find(2)["count"] == 2


def test_wrung_laundry_is_damp_before_the_sun_dries_it() -> None:
    world, reasoning = play(GAME, yard("sun", 3, wet=2), "wring shirt (ID: 3)")
    assert world.find(3)["water"] == 0
    assert reasoning == (
        "The shirt 3 is wrung, so its water goes from 2 to 1."
        " The shirt 3 is in the sun, so its water goes from 1 to 0."
        " The sky 2 lets time pass, so its count goes from 3 to 2."
    )


def test_laundry_that_is_held_keeps_dry_and_wins_in_the_box() -> None:
    world, _ = play_least(GAME, yard("rain", 3, wet=0), "take shirt (ID: 3)")
    world, _ = play_least(GAME, world, "put shirt (ID: 3) in bag (ID: 4)")
    assert facts(world.find(3)) == ("shirt", "Laundry", {"water": 0}, 4)
    assert world.score == {"score": 1, "gameOver": True, "gameWon": True}


def test_calm_weather_changes_in_a_quarter_of_the_steps() -> None:
    weathers = shares(
        GAME, yard("calm", 0, wet=1), "wait", of=lambda after: after.find(2)["weather"]
    )
    expected = {"calm": 0.75, "sun": 0.0625, "rain": 0.0625, "wind": 0.125}
    assert weathers == pytest.approx(expected, abs=0.05)


def test_wind_brings_nothing_one_thing_or_more() -> None:
    found = none_one_or_more(GAME, yard("wind", 2, wet=1), "wait")
    assert found == pytest.approx([0.25, 0.25, 0.5], abs=0.05)
