"""The actions of the recording and their text form; ``browser`` carries them out.

``click [6]``, ``type [8] [words] [0]`` (1 = press Enter after), ``select [5] [Option]``,
``goto [/cart/list.html]``, ``go_back``.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["click", "type", "select", "goto", "go_back"]


@dataclass(frozen=True)
class Action:
    """One action.

    ``target`` is an element id (click, type, select); ``text`` is what is typed, the option, or the
    address; ``is_entered`` tells whether Enter follows the typing.
    """

    kind: Kind
    target: int | None = None
    text: str = ""
    is_entered: bool = False

    def __str__(self) -> str:
        """The action as the row stores it."""
        if self.kind == "click":
            return f"click [{self.target}]"
        if self.kind == "type":
            return f"type [{self.target}] [{self.text}] [{int(self.is_entered)}]"
        if self.kind == "select":
            return f"select [{self.target}] [{self.text}]"
        return f"goto [{self.text}]" if self.kind == "goto" else "go_back"
