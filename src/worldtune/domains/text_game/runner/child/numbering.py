"""Numbers the objects of games that do not number them themselves (BYTESIZED32).

Objects are counted when they are made, from 0, as the games of GPT-simulator do in their own code:
the next object always gets the next number, so a number can be foretold. The number stays with the
object, also in a copy of the whole game.
"""

from types import ModuleType
from typing import Any

ATTRIBUTE = "_number_of_creation"


class Numbering:
    """Counts the objects of one game. ``next_number``: that of the next object."""

    def __init__(self, module: ModuleType) -> None:
        """Count what is made of the classes of ``module`` from now on, the game itself left out."""
        self.next_number = 0
        for value in list(vars(module).values()):
            if _makes_objects(value, module):
                value.__new__ = staticmethod(self._counting_new())

    def number_of(self, thing: Any, taken: dict[int, Any]) -> int:
        """The number of an object in one state; ``taken`` holds the objects numbered before it.

        Counted now is what was not counted when it was made, or what the game copied from another.
        """
        number = vars(thing).get(ATTRIBUTE)
        if not isinstance(number, int) or taken.get(number, thing) is not thing:
            number = self._take()
            setattr(thing, ATTRIBUTE, number)
        taken[number] = thing
        return number

    def _take(self) -> int:
        self.next_number += 1
        return self.next_number - 1

    def _counting_new(self) -> Any:
        def new(cls: type, *_arguments: Any, **_named: Any) -> Any:
            thing: Any = object.__new__(cls)
            setattr(thing, ATTRIBUTE, self._take())
            return thing

        return new


def _makes_objects(value: Any, module: ModuleType) -> bool:
    """Whether it is a class of the module without bases of its own, and not the game."""
    return (
        isinstance(value, type)
        and value.__module__ == module.__name__
        and value.__bases__ == (object,)
        and value.__name__ != "TextGame"
        and "__new__" not in vars(value)
        and "__slots__" not in vars(value)
    )
