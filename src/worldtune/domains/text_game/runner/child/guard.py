"""Refuses, from inside the interpreter, what no text game needs.

Python tells an audit hook of nearly everything that reaches outside of it; a hook that raises stops
it. A hook cannot be taken out again, but it runs beside the code that it watches: see the package.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

MODULES = frozenset(
    {
        # ways around the hooks: C calls, processes, interpreters that have no hooks
        *("ctypes", "_ctypes", "_posixsubprocess", "_multiprocessing", "_interpreters"),
        *("_xxsubinterpreters", "_testcapi", "_testinternalcapi"),
        # C libraries that open files or connections by themselves
        *("_tkinter", "_curses", "_dbm", "_gdbm", "_ssl", "readline"),
    }
)
PREFIXES: tuple[str, ...] = (
    *("os.", "socket.", "subprocess.", "ctypes.", "gc.", "resource.", "fcntl.", "pty.", "shutil."),
    *("tempfile.", "syslog.", "sqlite3.", "signal.", "cpython.run"),
)
EVENTS = frozenset(("code.__new__", "setopencodehook", "cpython.PyInterpreterState_New"))
HARMLESS = frozenset(("os.putenv", "os.unsetenv", "os.walk", "os.fwalk"))
PACKAGES = ("/site-packages/", "/dist-packages/")
"""Folders of installed packages; on some machines they lie inside that of the standard library."""
MAX_NOTES = 20

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Refused(PermissionError):
    """The game tried something that the guard keeps out. deed: what, as "write to 'x'"."""

    def __init__(self, deed: str) -> None:
        super().__init__(f"the runner refuses to {deed}")
        self.deed = deed


def install(notes: list[str]) -> None:
    """Refuse from now on; what is refused is noted, also where the game catches the error.

    What lies in the folders of ``sys.path`` may be read, nothing else. There is no way back.
    """
    roots = tuple(os.path.join(os.path.abspath(folder), "") for folder in sys.path)
    judges: dict[str, Callable[[tuple[Any, ...]], str] | None] = {
        "open": lambda arguments: _judge_open(arguments, roots),
        "os.listdir": lambda arguments: _judge_path("list", arguments[0], roots),
        "os.scandir": lambda arguments: _judge_path("list", arguments[0], roots),
        "import": lambda arguments: _judge_import(arguments, roots),
    }

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in judges:
            judges[event] = _judge_event(event)
        judge = judges[event]
        if judge is None:
            return
        deed = judge(arguments)
        if deed:
            if len(notes) < MAX_NOTES and deed not in notes:
                notes.append(deed)
            raise Refused(deed)

    sys.addaudithook(hook)


def _judge_event(event: str) -> Callable[[tuple[Any, ...]], str] | None:
    is_refused = event in EVENTS or (event.startswith(PREFIXES) and event not in HARMLESS)
    return (lambda arguments: f"call {event}") if is_refused else None


def _judge_open(arguments: tuple[Any, ...], roots: tuple[str, ...]) -> str:
    path, _, flags = arguments
    if type(path) is int:
        return ""  # open already
    if flags & _WRITING:
        return f"write to {_shown(path)}"
    return _judge_path("read", path, roots)


def _judge_import(arguments: tuple[Any, ...], roots: tuple[str, ...]) -> str:
    name, file = arguments[:2]
    if name in MODULES:
        return f"import {name}"
    return "" if file is None else _judge_path("load", file, roots)


def _judge_path(verb: str, path: object, roots: tuple[str, ...]) -> str:
    # Only text itself: an object that stands for a path could name another one when it is opened.
    if type(path) is str:
        whole = os.path.join(os.path.abspath(path), "")
        if whole.startswith(roots) and not any(folder in whole for folder in PACKAGES):
            return ""
    return f"{verb} {_shown(path)}"


def _shown(path: object) -> str:
    return ascii(path)[:80] if type(path) in {str, bytes} else f"a {type(path).__name__}"
