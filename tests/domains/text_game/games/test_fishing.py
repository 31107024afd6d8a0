"""Fishing: the sure part of a cast with numbers worked out by hand, the rest by its frequency."""

import pytest

from tests.domains.text_game.games.draws import none_one_or_more, play_least, shares
from tests.domains.text_game.games.moves import facts, play
from worldtune.domains.text_game.games.fishing import GAME
from worldtune.domains.text_game.games.world import Plan, World


def shore(*, bait: int, num_fish: int) -> World:
    """Shore 0, agent 1, line 2 that was cast 5 times, bucket 3 with shell 4, fish from 5 on."""
    world = World(Plan("Shore", "beach"))
    world.add(Plan("Line", "net", {"count": bait, "age": 5}))
    bucket = world.add(Plan("Bucket", "pot"))
    world.add(Plan("Junk", "shell"), bucket)
    for _ in range(num_fish):
        world.add(Plan("Fish", "eel"), bucket)
    world.score = GAME.score(world)
    return world


def test_a_cast_costs_bait_wears_the_line_and_throws_junk_away() -> None:
    world, reasoning = play_least(GAME, shore(bait=2, num_fish=1), "cast net (ID: 2)")
    assert facts(world.find(2)) == ("net", "Line", {"count": 1, "age": 6}, 0)
    assert [thing.label for thing in world.find(3).contains] == ["eel 5"]
    assert reasoning == (
        "The net 2 is cast, so its count goes from 2 to 1 and its age goes from 5 to 6."
        " The shell 4 is thrown away, so it disappears. By chance nothing is found."
    )


def test_without_bait_nothing_is_cast() -> None:
    world, reasoning = play(GAME, shore(bait=0, num_fish=1), "cast net (ID: 2)")
    assert reasoning == ""
    world, _ = play(GAME, world, "bait net (ID: 2)", "throw back eel (ID: 5)")
    assert world.find(2)["count"] == 4
    assert [thing.label for thing in world.find(3).contains] == ["shell 4"]


def test_the_third_fish_wins() -> None:
    catches = shares(
        GAME,
        shore(bait=1, num_fish=2),
        "cast net (ID: 2)",
        of=lambda after: (len(after.all("Fish")) >= 3, after.score["gameWon"]),
    )
    assert set(catches) == {(False, False), (True, True)}


def test_a_cast_catches_nothing_one_thing_or_more() -> None:
    found = none_one_or_more(GAME, shore(bait=1, num_fish=0), "cast net (ID: 2)")
    assert found == pytest.approx([0.25, 0.25, 0.5], abs=0.05)
