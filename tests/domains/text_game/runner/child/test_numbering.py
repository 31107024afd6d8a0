import copy
from types import ModuleType

from worldtune.domains.text_game.runner.child.numbering import Numbering

CODE = """
class Thing:
    def __init__(self, name):
        self.name = name
class Box(Thing): pass
class Lid(Thing): pass
class Chest(Box, Lid): pass
class TextGame: pass
"""


def numbered() -> tuple[ModuleType, Numbering]:
    module = ModuleType("foreign_game")
    exec(CODE, vars(module))
    return module, Numbering(module)


def test_objects_are_numbered_as_they_are_made_and_the_game_is_not():
    module, numbering = numbered()
    module.TextGame()
    first, chest, last = module.Thing("a"), module.Chest("b"), module.Box("c")
    assert numbering.next_number == 3
    taken: dict = {}
    assert [numbering.number_of(thing, taken) for thing in (last, first, chest)] == [2, 0, 1]


def test_a_copy_that_a_game_makes_of_an_object_gets_a_number_of_its_own():
    module, numbering = numbered()
    first = module.Thing("a")
    second = copy.deepcopy(first)
    taken: dict = {}
    assert numbering.number_of(first, taken) == 0
    number = numbering.number_of(second, taken)
    assert number > 0
    taken = {}
    assert [numbering.number_of(thing, taken) for thing in (first, second)] == [0, number]
