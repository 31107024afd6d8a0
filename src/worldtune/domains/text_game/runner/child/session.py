"""One game in play: its valid actions, single steps written down, and copies to branch from.

Both editions of the interface are known. GPT-simulator: ``step_action``, ``step_tick`` and
``step_calculate_score``, uuids on objects, a module global ``UUID``. BYTESIZED32: ``step`` does all
at once, so there is no state between action and tick, and objects are numbered here.
"""

import copy
import inspect
import random
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from .dump import ProtocolError, contents, dump_objects, dump_score
from .numbering import Numbering
from .program import Program

PHASES = ("step_action", "step_tick", "step_calculate_score")

_CODE = (type, ModuleType, FunctionType, BuiltinFunctionType)


class Session:
    """A game from its start."""

    def __init__(self, program: Program, seed: int) -> None:
        """Start ``program`` with ``seed``. Raises ProtocolError, and whatever the game raises."""
        random.seed(seed)
        self._module = program.load()
        self._numbering = Numbering(self._module)
        if hasattr(self._module, "randomSeed"):
            self._module.randomSeed = seed  # type: ignore[attr-defined]
        random.seed(seed)
        self._game = _construct(self._module, seed)
        self._has_phases = all(callable(getattr(self._game, name, None)) for name in PHASES)
        self._shows_root = _shows_root(self._game)
        self.seed = seed
        self.task_desc = str(self._game.getTaskDescription())

    def actions(self) -> list[str]:
        """The actions that are valid now; a game must be asked before every step."""
        return [action for action in self._game.generatePossibleActions() if _is_action(action)]

    @property
    def is_over(self) -> bool:
        """Whether the game says that it is over."""
        return bool(self._game.gameOver)

    def step(self, action: str) -> dict[str, Any]:
        """Take one step and write it down: objects, scores, first free uuid.

        ``action_objects`` is None where the game has no phases.
        """
        before, score, uuid_base = self._objects(), dump_score(self._game), self._uuid_base()
        middle = None
        if self._has_phases:
            self._game.step_action(action)
            middle = self._objects()
            self._game.step_tick()
            after = self._objects()
            self._game.step_calculate_score()
        else:
            self._game.step(action)
            after = self._objects()
        return {
            "objects": before,
            "action_objects": middle,
            "next_objects": after,
            "score": score,
            "next_score": dump_score(self._game),
            "uuid_base": uuid_base,
            "action": action,
        }

    def advance(self, action: str) -> None:
        """Take one step without writing it down."""
        if self._has_phases:
            for phase, arguments in zip(PHASES, ((action,), (), ()), strict=True):
                getattr(self._game, phase)(*arguments)
        else:
            self._game.step(action)

    def step_aside(self, action: str) -> dict[str, Any]:
        """The step that a copy of the game would take; this session stays where it is.

        The copy lives in the same module, whose variables are copied, too, and put back. Raises
        whatever copying raises: not every game can be copied.
        """
        kept, state, number = self._globals(), random.getstate(), self._numbering.next_number
        twin = copy.copy(self)
        try:
            twin._game, variables = copy.deepcopy((self._game, kept))
            self._numbering.next_number = number  # copying makes objects, too
            vars(self._module).update(variables)
            return twin.step(action)
        finally:
            vars(self._module).update(kept)
            random.setstate(state)
            self._numbering.next_number = number

    def _globals(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in vars(self._module).items()
            if not name.startswith("__") and not isinstance(value, _CODE)
        }

    def _objects(self) -> list[dict[str, Any]]:
        root = self._game.rootObject
        taken: dict[int, Any] = {}

        def identify(thing: Any) -> int:
            uuid = getattr(thing, "uuid", None)
            return uuid if type(uuid) is int else self._numbering.number_of(thing, taken)

        return dump_objects([root] if self._shows_root else contents(root), identify=identify)

    def _uuid_base(self) -> int:
        """The uuid that the next object gets."""
        counter = getattr(self._module, "UUID", None)
        return counter if type(counter) is int else self._numbering.next_number


def _construct(module: ModuleType, seed: int) -> Any:
    factory = getattr(module, "TextGame", None)
    if not callable(factory):
        raise ProtocolError("the file defines no class TextGame when it is run")
    parameters = inspect.signature(factory).parameters
    if "randomSeed" in parameters:
        game = factory(randomSeed=seed)
    else:
        game = factory(seed) if parameters else factory()
    for name in ("rootObject", "getTaskDescription", "generatePossibleActions"):
        if not hasattr(game, name):
            raise ProtocolError(f"TextGame has no {name}")
    return game


def _shows_root(game: Any) -> bool:
    """Whether the root counts as an object: it is the room, and not what holds several rooms.

    GPT-simulator lists its three games of several rooms by name; in those the agent starts in a
    room and not in the root.
    """
    agent = getattr(game, "agent", None)
    return agent is None or any(thing is agent for thing in contents(game.rootObject))


def _is_action(action: Any) -> bool:
    return isinstance(action, str) and bool(action.strip())
