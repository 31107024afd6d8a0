"""What travels between a file, a reader and the checks: records, raw rows and the faults of either.

A record is one entry of a file as it lies there; a raw row is one transition in our column names,
not yet checked. A fault is the one reason why a record or a row cannot be used; it ends in the
quarantine table and never stops the run by itself.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from worldtune.errors import UserError

SHARED_REASONS = {
    "missing_field": "a field is absent, empty or of the wrong type",
    "not_json": "a line or file that is not JSON",
    "not_utf8": "bytes that are not UTF-8, lone surrogates or null characters",
    "too_long": "longer than the context, or than a line may be",
}
"""Reasons for quarantine that reading itself gives; a domain adds those of its own checks."""


CHARS_PER_TOKEN = 4
"""Rule of thumb behind all token estimates; the tokenizer of a run may need more or fewer."""


class SourceError(UserError):
    """A source that cannot be read at all: not found, wrong columns, nothing usable in it."""


class RowFault(ValueError):
    """One row cannot be used. ``reason`` is one that the domain declares."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep the reason beside the message."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Record:
    """One entry of a source file. origin: "file:number", from 1; split: told by the file name."""

    values: Mapping[str, Any]
    origin: str
    split: str | None = None


@dataclass(frozen=True)
class RawRow:
    """One transition in our columns, unchecked. origin: "file:number" of its entry."""

    values: dict[str, Any]
    origin: str


@dataclass(frozen=True)
class Unreadable:
    """An entry that did not survive reading or conversion, with the start of its text."""

    reason: str
    message: str
    origin: str
    excerpt: str = ""


Entry = RawRow | Unreadable


@dataclass(frozen=True)
class Format:
    """A file format that users have.

    kind: its name in the configuration. needs: alternative sets of columns, one of which a file
    must have. convert: record -> raw rows in our columns; raises RowFault if the whole record is
    unusable and yields it in place of a single bad row. max_line_bytes: longer JSON lines are
    quarantined unread.
    """

    kind: str
    needs: tuple[tuple[str, ...], ...]
    convert: Callable[[Record], Iterator[dict[str, Any] | RowFault]]
    max_line_bytes: int = 4_000_000

    def fits(self, columns: set[str]) -> bool:
        """Whether a file with these columns can be read as this format."""
        return any(columns.issuperset(alternative) for alternative in self.needs)


def require_text(values: Mapping[str, Any], name: str) -> str:
    """The non-empty text in a field. Raises RowFault."""
    value = values.get(name)
    if not isinstance(value, str):
        found = "absent" if value is None else f"of type {type(value).__name__}"
        raise RowFault("missing_field", f"{name} is {found}; expected text")
    if not value.strip():
        raise RowFault("missing_field", f"{name} is empty")
    return value


def optional_text(values: Mapping[str, Any], name: str, default: str) -> str:
    """The text in a field, the default for null or absence. Raises RowFault on other types."""
    value = values.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise RowFault("missing_field", f"{name} is of type {type(value).__name__}; expected text")
    return value


def optional_int(values: Mapping[str, Any], name: str, default: int) -> int:
    """The 32-bit integer in a field, the default for null or absence. Raises RowFault."""
    value = values.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**31:
        raise RowFault("missing_field", f"{name} is {str(value)[:40]!r}; expected an integer")
    return value


def check_encoding(text: str) -> None:
    """Raise RowFault for text that no file can hold: null characters, lone surrogates."""
    if "\0" in text:
        raise RowFault("not_utf8", "the row holds a null character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        found = ascii(text[error.start])
        raise RowFault(
            "not_utf8", f"the row holds a lone surrogate ({found}), which is no UTF-8 text"
        ) from error


def stable_id(values: Iterable[object]) -> str:
    """The first 16 hex digits of the sha1 over what identifies a row; the same in every run."""
    return hashlib.sha1("\0".join(map(str, values)).encode()).hexdigest()[:16]
