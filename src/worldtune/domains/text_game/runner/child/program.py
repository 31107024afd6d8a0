"""A game file as a program: compiled once, executed anew for every episode.

Games keep state in the globals of their module (a counter of objects, say), so a second episode in
the same module would not start like the first.
"""

import ast
import sys
from types import ModuleType
from typing import Any

MODULE_NAME = "foreign_game"


class Program:
    """The code of a game. own_seed: the ``randomSeed`` that its text sets, or 0."""

    def __init__(self, name: str, source: bytes) -> None:
        """Compile ``source``. Raises SyntaxError, or ValueError for null bytes."""
        self.file = f"{name}.py"
        tree = ast.parse(source, self.file)
        self._code = compile(tree, self.file, "exec", dont_inherit=True)
        self.own_seed = next((_seed(node) for node in ast.walk(tree) if _is_seed(node)), 0)

    def load(self) -> ModuleType:
        """Execute the file in a fresh module; whatever it raises goes up."""
        module = ModuleType(MODULE_NAME)
        sys.modules[MODULE_NAME] = module  # where dataclasses and the like look for it
        exec(self._code, vars(module))
        return module


def _is_seed(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "randomSeed"
        and isinstance(node.value, ast.Constant)
        and type(node.value.value) is int
    )


def _seed(node: Any) -> int:
    return int(node.value.value)
