"""Results as lines of JSON on one descriptor: rows, faults, and a last line that says all is told.

Lines are written whole and at once: what a game gave before it died or was stopped stays readable.
"""

import json
import os
import sys
from typing import Any

from .dump import ProtocolError, without_addresses
from .guard import Refused

MAX_LINE_BYTES = 8_000_000
MAX_TEXT_CHARS = 300
LAST_WORDS = b'{"fault":{"kind":"memory","text":"","place":""}}\n'


class FullError(Exception):
    """The file of results has reached its limit."""


class Tail:
    """Takes the place of stdout and stderr; remembers the end of what is printed."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: Any) -> int:
        """Keep the end of ``text``."""
        self.text = (self.text + str(text)[-MAX_TEXT_CHARS:])[-MAX_TEXT_CHARS:]
        return len(text)

    def flush(self) -> None:
        """There is nothing to flush."""

    def isatty(self) -> bool:
        """Nobody is watching."""
        return False


class Output:
    """Writes to the descriptor that the parent reads from when this process has ended."""

    def __init__(self, descriptor: int, file: str) -> None:
        """``file``: the name of the game's code in tracebacks."""
        self._descriptor = descriptor
        self._file = file
        self._told: set[str] = set()

    def row(self, row: dict[str, Any]) -> None:
        """Write a row. Raises ProtocolError if JSON or UTF-8 cannot say it, or it is too long."""
        try:
            text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            line = text.encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise ProtocolError(f"a row cannot be written: {str(error)[:120]}") from None
        if len(line) > MAX_LINE_BYTES:
            raise ProtocolError(
                f"a row of {len(line):,} bytes; at most {MAX_LINE_BYTES:,} are read"
            )
        self._write(b'{"row":' + line + b"}\n")

    def fault(self, error: BaseException, place: str, *, printed: str = "") -> None:
        """Write a fault: its kind, what happened, and where."""
        if printed.strip():
            place = f"{place}; printed last: {printed.strip()[-120:]!r}"
        self._fault(_kind(error), self._describe(error), place)

    def no_python(self, error: Exception) -> None:
        """Write that the file is no program, or one for another version of Python."""
        version = f"this is Python {sys.version_info.major}.{sys.version_info.minor}"
        self._fault("syntax", f"{str(error)[:MAX_TEXT_CHARS]}; {version}", "")

    def out_of_memory(self) -> None:
        """Write that the memory was not enough; asks for none."""
        self._write(LAST_WORDS)

    def refusals(self, deeds: list[str]) -> None:
        """Write what the guard refused and the game kept to itself, once each."""
        for deed in deeds:
            if (text := f"tried to {deed}") not in self._told:
                self._fault("refused", text, "")

    def end(self) -> None:
        """Write that nothing is missing."""
        self._write(b'{"end":true}\n')

    def _fault(self, kind: str, text: str, place: str) -> None:
        self._told.add(text)
        fault = {"kind": kind, "text": text, "place": place[:MAX_TEXT_CHARS]}
        self._write(json.dumps({"fault": fault}).encode() + b"\n")

    def _describe(self, error: BaseException) -> str:
        if isinstance(error, Refused):
            return f"tried to {error.deed}"
        if isinstance(error, ProtocolError):
            return str(error)[:MAX_TEXT_CHARS]
        try:
            text = without_addresses(str(error))[:MAX_TEXT_CHARS]
        except Exception:  # the game's own class may fail at this, too
            text = ""
        words = f"{type(error).__name__}: {text}" if text else type(error).__name__
        line = self._line(error)
        return f"{words}, line {line}" if line else words

    def _line(self, error: BaseException) -> int:
        """The last line of the game's file on the way to the error; 0 if there is none."""
        line, step = 0, error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename == self._file:
                line = step.tb_lineno
            step = step.tb_next
        return line

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except OSError as error:
                raise FullError from error


def _kind(error: BaseException) -> str:
    if isinstance(error, Refused):
        return "refused"
    return "protocol" if isinstance(error, ProtocolError) else "crash"
