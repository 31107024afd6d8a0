"""Mine: the sure part of a dig with numbers worked out by hand, the rest by its frequency."""

import pytest

from tests.domains.text_game.games.draws import none_one_or_more, play_least, shares
from tests.domains.text_game.games.moves import play
from worldtune.domains.text_game.games.mine import GAME
from worldtune.domains.text_game.games.world import Plan, World

DIG = "dig rock (ID: 2) with spade (ID: 5)"


def dug_rock(*, light: int, sharp: int) -> World:
    """Mine 0, agent 1, rock 2 with bone 3 and gold 4, spade 5."""
    world = World(Plan("Mine", "cellar"), {"light": light})
    rock = world.add(Plan("Rock", "rock"))
    world.add(Plan("Rubble", "bone"), rock)
    world.add(Plan("Ore", "gold"), rock)
    world.add(Plan("Pick", "spade", {"count": sharp}))
    return world


def test_a_dig_blunts_the_pick_clears_rubble_and_the_lamp_burns_down() -> None:
    world, reasoning = play_least(GAME, dug_rock(light=2, sharp=3), DIG)
    assert [thing.label for thing in world.find(2).contains] == ["gold 4"]
    assert (world.find(5)["count"], world.agent["light"]) == (2, 1)
    assert reasoning == (
        "The spade 5 is used, so its count goes from 3 to 2. The bone 3 is cleared away, so it"
        " disappears. By chance nothing is found."
        " The agent 1 uses the lamp, so its light goes from 2 to 1."
    )


@pytest.mark.parametrize(("light", "sharp"), [(0, 3), (2, 0)])
def test_in_the_dark_or_with_a_blunt_pick_nothing_is_dug(light: int, sharp: int) -> None:
    world, _ = play(GAME, dug_rock(light=light, sharp=sharp), DIG)
    assert len(world.find(2).contains) == 2
    assert world.find(5)["count"] == sharp


def test_lamp_and_pick_can_be_renewed_and_ore_in_the_hand_counts() -> None:
    world = dug_rock(light=0, sharp=0)
    world, _ = play(GAME, world, "sharpen spade (ID: 5)", "fill lamp", "take gold (ID: 4)")
    assert (world.find(5)["count"], world.agent["light"]) == (5, 2)  # 4, less a tick, less a tick
    assert world.score["score"] == 1


def test_a_dig_finds_nothing_one_thing_or_more() -> None:
    found = none_one_or_more(GAME, dug_rock(light=1, sharp=1), DIG)
    assert found == pytest.approx([0.25, 0.25, 0.5], abs=0.05)
    kinds = shares(GAME, dug_rock(light=1, sharp=1), DIG, of=_last_kind)
    assert kinds["Rubble"] == pytest.approx(0.75 * 0.6, abs=0.05)


def _last_kind(world: World) -> str:
    return world.find(2).contains[-1].kind
