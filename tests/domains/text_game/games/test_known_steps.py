"""Steps of single games, worked out by hand from their rules.

A world is listed as (kind, noun, properties, uuid of its place), uuids from 2 on; 0 is the root, 1
the agent. Expected is every item of the difference, as ``Changes.items`` writes it.
"""

from typing import Any

import pytest

from worldtune.domains.text_game.games import get_game
from worldtune.domains.text_game.games.dice import Dice, FixedDice
from worldtune.domains.text_game.games.world import Moment, Plan, World
from worldtune.domains.text_game.state import diff

ROOT = {"forage": ("Ground", {"light": 3}), "garden": ("Ground", {}), "rooms": ("Hall", {})}
KETTLE = ("Kettle", "kettle", {"on": True, "power": 30, "size": 2}, 0)
OVEN = ("Oven", "oven", {"open": False, "on": True, "power": 20}, 0)
FREEZER = {"open": False, "on": True, "temp": -15, "power": 10}
LIVE = [
    ("Board", "board", {"on": True}, 0),
    ("Battery", "battery", {"count": 1}, 2),
    ("Wire", "wire", {"broken": False}, 2),
]
LAMP = ("Lamp", "lamp", {"on": False}, 0)
WASHER = {"open": False, "on": True, "count": 1}
CANVAS = ("Canvas", "wall", {"colour": "blue", "wet": 0, "wanted": "orange"}, 0)

CASES = {
    "filling creates water with a new uuid, which cools no further": (
        "kettle",
        [("Kettle", "kettle", {"on": False, "power": 30, "size": 2}, 0)],
        "fill kettle (ID: 2)",
        {'2.contains = ["3"]', 'added 3: contains = [], count = 2, name = "water (ID: 3)", '
         'temp = 20, type = "Water"'},
    ),
    "water heats up to the boiling point": (
        "kettle",
        [KETTLE, ("Water", "water", {"temp": 80, "count": 2}, 2)],
        "wait",
        {"3.temp = 100"},
    ),
    "boiling water gets less": (
        "kettle",
        [KETTLE, ("Water", "water", {"temp": 100, "count": 2}, 2)],
        "wait",
        {"3.count = 1"},
    ),
    "the last of the water boils away": (
        "kettle",
        [KETTLE, ("Water", "water", {"temp": 100, "count": 1}, 2)],
        "wait",
        {"2.contains = []", "removed 3"},
    ),
    "hot water in a cup cools and wins": (
        "kettle",
        [KETTLE, ("Water", "water", {"temp": 65, "count": 1}, 2), ("Cup", "cup", {}, 0)],
        "pour kettle (ID: 2) into cup (ID: 4)",
        {"2.contains = []", '4.contains = ["3"]', "3.temp = 60", "score.score = 3",
         "score.gameOver = true", "score.gameWon = true"},
    ),
    "a solid melts at its limit and keeps its uuid": (
        "oven",
        [OVEN, ("Solid", "butter", {"temp": 30, "limit": 40}, 2)],
        "wait",
        {"3.temp = 50", "3.limit = 100", '3.name = "melted butter (ID: 3)"', '3.type = "Liquid"',
         "score.score = 1"},
    ),
    "in an open oven nothing gets hot": (
        "oven",
        [OVEN, ("Solid", "butter", {"temp": 30, "limit": 40}, 2)],
        "open oven (ID: 2)",
        {"2.open = true", "3.temp = 25"},
    ),
    "too hot a liquid is ash, and the game is lost": (
        "oven",
        [OVEN, ("Liquid", "melted butter", {"temp": 90, "limit": 100}, 2)],
        "wait",
        {"3.temp = 110", '3.name = "ash (ID: 3)"', '3.type = "Ash"', "score.score = 0",
         "score.gameOver = true"},
    ),
    "a freezer cools to its end, its content follows by 10 and freezes": (
        "freezer",
        [("Freezer", "freezer", FREEZER, 0), ("Liquid", "milk", {"temp": 5}, 2)],
        "wait",
        {"2.temp = -20", "3.temp = -5", '3.name = "frozen milk (ID: 3)"', '3.type = "Solid"',
         "score.score = 1"},
    ),
    "what is taken out warms by 5 and thaws above 0": (
        "freezer",
        [("Freezer", "freezer", {**FREEZER, "open": True}, 0),
         ("Solid", "frozen tea", {"temp": 0}, 2)],
        "take frozen tea (ID: 3)",
        {"2.temp = -10", "2.contains = []", '1.contains = ["3"]', "3.temp = 5",
         '3.name = "tea (ID: 3)"', '3.type = "Liquid"', "score.score = 0"},
    ),
    "the lamp lights and the battery runs down when the circuit closes": (
        "circuit",
        [*LIVE, ("Lamp", "lamp", {"on": False}, 1)],
        "put lamp (ID: 5) in board (ID: 2)",
        {"1.contains = []", '2.contains = ["3","4","5"]', "5.on = true", "3.count = 0",
         "score.score = 3", "score.gameOver = true", "score.gameWon = true"},
    ),
    "an empty battery closes no circuit": (
        "circuit",
        [LIVE[0], ("Battery", "battery", {"count": 0}, 2), LIVE[2],
         ("Lamp", "lamp", {"on": True}, 2)],
        "wait",
        {"5.on = false", "score.score = 1", "score.gameOver = false", "score.gameWon = false"},
    ),
    "a broken wire closes no circuit": (
        "circuit",
        [*LIVE[:2], ("Wire", "wire", {"broken": True}, 2), ("Lamp", "lamp", {"on": False}, 2)],
        "wait",
        set(),
    ),
    "water lets a plant grow": (
        "garden",
        [("Plant", "bush", {"water": 0, "grown": 1, "fruit": "fig"}, 0)],
        "water bush (ID: 2)",
        {"2.water = 1", "2.grown = 2"},
    ),
    "a dry plant shrinks": (
        "garden",
        [("Plant", "bush", {"water": 0, "grown": 1, "fruit": "fig"}, 0)],
        "wait",
        {"2.grown = 0"},
    ),
    "mixing removes two paints and creates one": (
        "paint",
        [CANVAS, ("Paint", "paint", {"colour": "yellow", "count": 2}, 0),
         ("Paint", "paint", {"colour": "red", "count": 1}, 0)],
        "mix paint (ID: 3) with paint (ID: 4)",
        {'0.contains = ["1","2","5"]', "removed 3", "removed 4",
         'added 5: colour = "orange", contains = [], count = 3, name = "paint (ID: 5)", '
         'type = "Paint"'},
    ),
    "painting uses the last of a paint up": (
        "paint",
        [CANVAS, ("Paint", "paint", {"colour": "orange", "count": 1}, 0)],
        "paint wall (ID: 2) with paint (ID: 3)",
        {'0.contains = ["1","2"]', "removed 3", '2.colour = "orange"', "2.wet = 2",
         "score.score = 1"},
    ),
    "the heavier pan goes down, the other one up": (
        "scale",
        [("Pan", "left pan", {"weight": 4, "down": True}, 0),
         ("Pan", "right pan", {"weight": 0, "down": False}, 0),
         ("Weight", "stone", {"weight": 4}, 2), ("Weight", "rope", {"weight": 7}, 1)],
        "put rope (ID: 5) in right pan (ID: 3)",
        {"1.contains = []", '3.contains = ["5"]', "2.down = false", "3.weight = 7",
         "3.down = true", "score.score = 2"},
    ),
    "only the key of the room's code unlocks it": (
        "rooms",
        [("Room", "attic", {"open": False, "locked": True, "code": 3}, 0),
         ("Key", "key", {"code": 3}, 1), ("Treasure", "map", {}, 2)],
        "unlock attic (ID: 2) with key (ID: 3)",
        {"2.locked = false", "score.score = 1"},
    ),
    "another key does nothing": (
        "rooms",
        [("Room", "attic", {"open": False, "locked": True, "code": 3}, 0),
         ("Key", "key", {"code": 5}, 1), ("Treasure", "map", {}, 2)],
        "unlock attic (ID: 2) with key (ID: 3)",
        set(),
    ),
    "the agent takes what it holds into an open room": (
        "rooms",
        [("Room", "attic", {"open": True, "locked": False, "code": 3}, 0),
         ("Key", "key", {"code": 5}, 1), ("Treasure", "map", {}, 2)],
        "enter attic (ID: 2)",
        {'0.contains = ["2"]', '2.contains = ["1","4"]'},
    ),
    "a running machine that is opened stops": (
        "laundry",
        [("Washer", "washer", WASHER, 0), ("Clothes", "hat", {"dirty": True, "wet": False}, 2)],
        "open washer (ID: 2)",
        {"2.open = true", "2.on = false"},
    ),
    "the washer ends its run with clean and wet clothes": (
        "laundry",
        [("Washer", "washer", WASHER, 0), ("Clothes", "hat", {"dirty": True, "wet": False}, 2)],
        "wait",
        {"2.on = false", "2.count = 2", "3.dirty = false", "3.wet = true", "score.score = 1"},
    ),
    "the dryer ends its run with dry clothes": (
        "laundry",
        [("Dryer", "dryer", WASHER, 0), ("Clothes", "hat", {"dirty": False, "wet": True}, 2)],
        "wait",
        {"2.on = false", "2.count = 2", "3.wet = false"},
    ),
}  # fmt: skip


def build(game: str, things: list[tuple[str, str, dict[str, Any], int]]) -> World:
    kind, properties = ROOT.get(game, ("Room", {}))
    world = World(Plan(kind, "place", properties))
    for kind, noun, properties, place in things:
        world.add(Plan(kind, noun, properties), world.find(place))
    world.score = get_game(game).score(world)
    return world


def step(name: str, world: World, text: str, dice: Dice) -> set[str]:
    """The items of the difference that the action makes."""
    game = get_game(name)
    after = game.play(world, game.action(world, text), dice).after
    return set(diff(Moment(world).state, after.state).items)


@pytest.mark.parametrize("case", CASES)
def test_known_step(case: str) -> None:
    name, things, text, expected = CASES[case]
    dice = Dice("none")
    assert step(name, build(name, things), text, dice) == expected
    assert dice.num_draws == 0


def test_a_search_by_day_counts_itself_and_finds_what_chance_gives() -> None:
    world = build("forage", [("Spot", "log", {"count": 2}, 0), ("Find", "ring", {}, 2)])
    sure = {"2.count = 3", "0.light = 2", "removed 3", "2.contains = []"}
    assert step("forage", world, "search log (ID: 2)", FixedDice("first")) == sure
    most = step("forage", world, "search log (ID: 2)", FixedDice("last"))
    assert {item for item in most if item.startswith("added")} == {
        f'added {uuid}: contains = [], name = "stick (ID: {uuid})", type = "Find"'
        for uuid in range(4, 9)
    }


def test_a_search_by_night_finds_nothing_for_sure() -> None:
    world = build("forage", [("Spot", "log", {"count": 2}, 0)])
    world.root.properties["light"] = 0
    dice = Dice()
    assert step("forage", world, "search log (ID: 2)", dice) == {"2.count = 3", "0.light = 9"}
    assert dice.num_draws == 0


def test_a_grown_plant_loses_its_fruit_and_bears_anew() -> None:
    plant = ("Plant", "bush", {"water": 2, "grown": 3, "fruit": "fig"}, 0)
    world = build("garden", [plant, ("Fruit", "fig", {}, 2)])
    none = step("garden", world, "wait", FixedDice("first"))
    assert none == {"2.water = 1", "2.contains = []", "removed 3"}
    four = step("garden", world, "wait", FixedDice("last"))
    assert '2.contains = ["4","5","6","7"]' in four


def test_only_dirty_clothes_are_worth_a_search() -> None:
    clothes = [
        ("Clothes", noun, {"dirty": dirty, "wet": False}, 1)
        for noun, dirty in (("hat", True), ("coat", False))
    ]
    world = build("laundry", clothes)
    assert step("laundry", world, "search hat (ID: 2)", FixedDice("first")) == set()
    most = step("laundry", world, "search hat (ID: 2)", FixedDice("last"))
    assert '0.contains = ["1","4","5","6","7","8"]' in most
    dice = Dice()
    assert step("laundry", world, "search coat (ID: 3)", dice) == set()
    assert dice.num_draws == 0
