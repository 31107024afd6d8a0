r"""From free text to the JSON value that it states: markers, fences, blocks, Python literals.

Models think before they answer, quote JSON while they think, write ``True`` for ``true`` and forget
brackets. Reading goes from the strict to the lenient: JSON, JSON with stray commas, Python
literals (``ast.literal_eval``, never ``eval``), and at last a repair library. Text inside strings
is never altered by the first three. Size, nesting and the number of tries are bounded, so that any
text is read in milliseconds.
"""

import ast
import json
import math
import re
import warnings
from collections.abc import Iterator
from typing import Any

MAX_CHARS = 65_536
"""Longer texts are unreadable: four times the longest answer that the paper allows."""
MAX_LENIENT_CHARS = 8_192
"""Blocks longer than this are read as JSON only; the lenient readers are slower."""
MAX_DEPTH = 24
"""Deeper nesting is unreadable; states of games need about six levels."""

_MAX_UNCLOSED = 3
_MAX_TRIED = 4
"""Blocks that are read, from the last one on."""
_THINK_END = "</think>"
_MARKER = re.compile(r"the final (?:answer|state|game state) is:", re.IGNORECASE)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
# Strings run to their closing quote or to the end of the text, so that scanning stays linear.
STRING = r"""\"(?:[^"\\]|\\.)*+(?:"|\Z)|'(?:[^'\\]|\\.)*+(?:'|\Z)"""
_STRUCTURE = re.compile(rf"{STRING}|[{{}}\[\]]", re.DOTALL)
_TRAILING = re.compile(rf"({STRING})|,(?=\s*+[,\]}}])", re.DOTALL)
_LEADING = re.compile(rf"({STRING})|([\[{{])\s*+,", re.DOTALL)


def read_object(text: str) -> tuple[dict[str, Any], int, int] | None:
    """The JSON object that a text states last, and where it stands; None if there is none.

    What follows the last ``</think>`` counts; in it, what follows the last answer marker, else the
    last fenced block, else everything; in that, the last block in braces that can be read.
    """
    if len(text) > MAX_CHARS:
        return None
    start, end = _answer_part(text)
    for first, last in list(_blocks(text, start, end))[: -_MAX_TRIED - 1 : -1]:
        value = read_value(text[first:last])
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return value, first, last
    return None


def _answer_part(text: str) -> tuple[int, int]:
    start = text.rfind(_THINK_END)
    start = start + len(_THINK_END) if start >= 0 else 0
    markers = list(_MARKER.finditer(text, start))
    if markers:
        return markers[-1].end(), len(text)
    fences = list(_FENCE.finditer(text, start)) if text.find("```", start) >= 0 else []
    return fences[-1].span(1) if fences else (start, len(text))


def _blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of the outermost blocks in braces; one that is never closed runs to the end."""
    position, unclosed = text.find("{", start, end), 0
    while position >= 0 and unclosed < _MAX_UNCLOSED:
        close = _block_end(text, position, end)
        unclosed += close is None
        yield position, end if close is None else close
        position = text.find("{", position + 1 if close is None else close, end)


def _block_end(text: str, start: int, end: int) -> int | None:
    """Behind the bracket that closes the block; None if there is none or it nests too deeply."""
    depth = 0
    for match in _STRUCTURE.finditer(text, start, end):
        sign = match.group()
        if sign in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                return None
        elif sign in "}]":
            depth -= 1
            if depth == 0:
                return match.end()
    return None


def read_value(text: str) -> Any | None:
    """The value of a JSON text, leniently; None if it cannot be read or is no plain JSON value."""
    if is_deep(text):
        return None
    readers = (_read_json, _read_json_with_strays, _read_python, _read_repaired)
    for reader in readers if len(text) <= MAX_LENIENT_CHARS else readers[:2]:
        try:
            value = reader(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        return value if is_plain(value) else None
    return None


def is_deep(text: str) -> bool:
    """Whether the brackets of a text nest deeper than MAX_DEPTH; strings do not count."""
    depth = 0
    for match in _STRUCTURE.finditer(text):
        sign = match.group()
        depth += 1 if sign in "{[" else -1 if sign in "}]" else 0
        if depth > MAX_DEPTH:
            return True
    return False


def _read_json(text: str) -> Any:
    return json.loads(text)


def _read_json_with_strays(text: str) -> Any:
    """Commas before another comma, before a closing or after an opening bracket do no harm."""
    text = _TRAILING.sub(lambda match: match[1] or "", text)
    return json.loads(_LEADING.sub(lambda match: match[1] or match[2], text))


def _read_python(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in strings warn
        return ast.literal_eval(text)


def _read_repaired(text: str) -> Any:
    import json_repair  # noqa: PLC0415 - rarely needed

    return json_repair.loads(text, skip_json_loads=True)


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is made of null, flags, usual numbers, texts, lists and objects alone."""
    if value is None or isinstance(value, bool | str):
        return True
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, float):
        return math.isfinite(value)
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict):
        return all(isinstance(k, str) and is_plain(v, depth + 1) for k, v in value.items())
    return isinstance(value, list) and all(is_plain(inner, depth + 1) for inner in value)
