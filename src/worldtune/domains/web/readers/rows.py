"""What travels between a file, a reader and the checks: records, raw rows and the faults of either.

A record is one entry of a file as it lies there; a raw row is one transition in our column names,
not yet checked. A fault is the one reason why a record or a row cannot be used; it ends in the
quarantine table and never stops the run by itself.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from worldtune.errors import UserError

REASONS = {
    "missing_field": "a field is absent, empty or of the wrong type",
    "not_json": "a line or file that is not JSON",
    "not_utf8": "bytes that are not UTF-8, lone surrogates or null characters",
    "too_long": "longer than the context, or than a line may be",
    "unparsable_tree": "a page or an item line that is not accessibility-tree text",
    "duplicate_ids": "one id on two elements of a page",
    "unknown_action": "an action that is not in the vocabulary",
    "action_target_missing": "an action on an id that is not on the page",
    "empty_target_changed": "flagged as changed, yet no item is listed",
    "inconsistent_diff": "the lists differ from the difference of the two pages",
}
"""Every reason for quarantine, in the order in which the checks look for them."""


class SourceError(UserError):
    """A source that cannot be read at all: not found, wrong columns, nothing usable in it."""


class RowFault(ValueError):
    """One row cannot be used. ``reason`` is a key of REASONS; the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep the reason beside the message."""
        assert reason in REASONS, f"undeclared reason {reason!r}"
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Record:
    """One entry of a source file. origin: "file:number", from 1; split: told by the file name."""

    values: Mapping[str, Any]
    origin: str
    split: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """An entry that did not survive reading or conversion, with the start of its text."""

    reason: str
    message: str
    origin: str
    excerpt: str = ""


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
