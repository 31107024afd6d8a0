import enum
import math
from types import SimpleNamespace

import pytest

from worldtune.domains.text_game.runner.child.dump import (
    ProtocolError,
    dump_objects,
    dump_score,
    plain,
)


class Named:
    name = "spoon"


class Metal(enum.Enum):
    TIN = 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        ("a", "a"),
        ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        ({"b", "a"}, ["a", "b"]),
        (frozenset({("x", 1)}), [["x", 1]]),
        ({Named(): 1, 2: None, None: True}, {"spoon": 1, "2": None, "None": True}),
        (Named(), "spoon"),
        (Named, "spoon"),
        (math.floor, "floor"),
        (Metal.TIN, "TIN"),
        (3 + 4j, "(3+4j)"),
    ],
)
def test_values_become_what_json_has(value, expected):
    assert plain(value, "x") == expected


def test_an_address_does_not_get_into_the_text_of_an_object():
    assert plain(object(), "x") == "<object object>"


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], {"a": {"b": math.nan}}])
def test_numbers_that_json_lacks_are_refused(value):
    with pytest.raises(ProtocolError, match=r"temperature is -?(nan|inf)"):
        plain(value, "temperature")


def thing(name, *inside, **properties):
    return SimpleNamespace(name=name, contains=list(inside), properties=properties)


def test_objects_come_in_preorder():
    tree = thing("room", thing("box", thing("pin"), thing("cup")), thing("agent"))
    numbers = iter(range(10))
    dumped = dump_objects([tree], identify=lambda _: next(numbers))
    assert [(entry["name"], entry["uuid"], entry["contains"]) for entry in dumped] == [
        ("room", 0, ["box", "agent"]),
        ("box", 1, ["pin", "cup"]),
        ("pin", 2, []),
        ("cup", 3, []),
        ("agent", 4, []),
    ]
    assert list(dumped[0]) == ["name", "uuid", "type", "properties", "contains"]


def test_objects_that_hold_one_another_are_refused():
    box = thing("box")
    box.contains.append(box)
    with pytest.raises(ProtocolError, match="hold one another"):
        dump_objects([box], identify=id)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (SimpleNamespace(contains=[]), "has no name"),
        (SimpleNamespace(name="a", properties={}), "'a' has no list `contains`"),
        (SimpleNamespace(name="a", contains=[]), "'a' has no dictionary `properties`"),
    ],
)
def test_what_is_no_game_object_is_refused(broken, complaint):
    with pytest.raises(ProtocolError, match=complaint):
        dump_objects([broken], identify=id)


def test_the_score_is_a_number_and_two_flags():
    game = SimpleNamespace(score=True, gameOver=0)
    assert dump_score(game) == {"score": 1, "gameOver": False, "gameWon": False}
    for score in (None, "1", math.nan):
        with pytest.raises(ProtocolError, match="score"):
            dump_score(SimpleNamespace(score=score, gameOver=False))
    with pytest.raises(ProtocolError, match="gameOver"):
        dump_score(SimpleNamespace(score=1))
