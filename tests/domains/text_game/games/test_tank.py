"""Tank, step by step with numbers worked out by hand."""

from tests.domains.text_game.games.moves import play
from worldtune.domains.text_game.games.tank import GAME
from worldtune.domains.text_game.games.world import Plan, Value, World

TANK: dict[str, Value] = {"open": True, "water": 4, "size": 5, "leak": 1}


def pots(*, basin: int, on: bool, broken: bool, tank: dict[str, Value] = TANK) -> World:
    """Room 0, agent 1, pot 2 with tap 3 of power 3, basin 4 of size 6, coin 5."""
    world = World(Plan("Room", "shed"))
    pot = world.add(Plan("Tank", "pot", tank))
    world.add(Plan("Tap", "tap", {"on": on, "power": 3, "broken": broken}), pot)
    world.add(Plan("Basin", "basin", {"water": basin, "size": 6}))
    world.add(Plan("Find", "coin"))
    return world


def levels(world: World) -> tuple[bool, int, int]:
    """Whether the tap is on, the water of the pot, the water of the basin."""
    return world.find(3)["on"], world.find(2)["water"], world.find(4)["water"]


def test_a_full_tank_overflows_into_the_basin_before_it_leaks() -> None:
    world, reasoning = play(GAME, pots(basin=1, on=True, broken=True), "wait")
    assert levels(world) == (True, 4, 3)  # 4 + 3 = 7, 2 go over, 1 leaks
    assert reasoning == (
        "The pot 2 has the tap 3 that is on, so its water goes from 4 to 7."
        " The pot 2 overflows, so its water goes from 7 to 5."
        " The basin 4 gets 2, so its water goes from 1 to 3."
        " The pot 2 leaks, so its water goes from 5 to 4."
    )


def test_a_good_float_turns_the_tap_of_a_full_tank_off() -> None:
    full: dict[str, Value] = {**TANK, "water": 5, "leak": 0}
    world, reasoning = play(GAME, pots(basin=1, on=True, broken=False, tank=full), "wait")
    assert levels(world) == (False, 5, 1)
    assert reasoning == "The tap 3 is in the full pot 2, so its on becomes false."
    world, reasoning = play(GAME, world, "turn on tap (ID: 3)")
    assert levels(world) == (False, 5, 1)
    assert reasoning.count("so its on becomes") == 2


def test_a_find_plugs_the_leak() -> None:
    world = pots(basin=0, on=False, broken=False)
    world, _ = play(GAME, world, "take coin (ID: 5)")
    assert levels(world) == (False, 3, 0)
    world, _ = play(GAME, world, "put coin (ID: 5) in pot (ID: 2)", "wait")
    assert levels(world) == (False, 3, 0)


def test_enough_water_with_the_tap_off_wins_and_too_much_loses() -> None:
    world, _ = play(GAME, pots(basin=2, on=True, broken=True), "wait")
    assert world.score == {"score": 1, "gameOver": False, "gameWon": False}
    won, _ = play(GAME, world, "turn off tap (ID: 3)")
    assert won.score == {"score": 3, "gameOver": True, "gameWon": True}
    lost, _ = play(GAME, world, "wait", "wait")  # 4 + 2 = 6 is held, 6 + 2 is not
    assert lost.score == {"score": 1, "gameOver": True, "gameWon": False}


def test_a_closed_tank_keeps_its_tap_out_of_reach() -> None:
    closed: dict[str, Value] = {**TANK, "open": False}
    world = pots(basin=0, on=False, broken=True, tank=closed)
    actions = [action.text for action in GAME.actions(world)]
    assert "open pot (ID: 2)" in actions
    assert not any("tap" in action for action in actions)
