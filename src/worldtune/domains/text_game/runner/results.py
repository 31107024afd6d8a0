"""Reads the results of a game's process: rows in the raw columns of the domain, and faults.

Nothing here is trusted: the game ran in the process that wrote it. Lines are bounded, and one that
is not of the agreed form ends the reading. What a row must fulfil beyond its form is decided in the
checks of the domain, as for every source.
"""

import json
from collections.abc import Generator
from typing import IO, Any, cast

from worldtune.domains.text_game.runner.failures import (
    KINDS,
    OUT_OF_MEMORY,
    FailureKind,
    Faults,
)

MAX_LINE_BYTES = 8_100_000
"""A little more than the child writes, for what surrounds a row."""
LICENCE = "the user's own copy"
ROW_TYPES: dict[str, tuple[type, ...]] = {
    "seed": (int,),
    "step": (int,),
    "rollout": (str,),
    "task_desc": (str,),
    "objects": (list,),
    "action_objects": (list, type(None)),
    "next_objects": (list,),
    "score": (dict,),
    "next_score": (dict,),
    "uuid_base": (int,),
    "action": (str,),
}
"""The fields of a row as the child writes it."""

RawRow = dict[str, Any]


def read_results(game: str, results: IO[bytes], faults: Faults) -> Generator[RawRow, None, bool]:
    """Yield the rows and collect the faults; returns whether the last line is there."""
    while line := results.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n"):
            return False  # cut off in the middle when the process died
        message = _parse(line)
        if message == {"end": True}:
            return True
        if _is_row(message.get("row")):
            yield _raw_row(game, message["row"])
        elif _is_fault(message.get("fault")):
            _add(message["fault"], faults)
        else:
            faults.add("protocol", "wrote something else than results to the file of results")
            return True
    return False


def _parse(line: bytes) -> dict[str, Any]:
    """The object on a line, an empty one if there is none."""
    try:
        message = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and row.keys() == ROW_TYPES.keys()
        and all(type(row[name]) in types for name, types in ROW_TYPES.items())
    )


def _is_fault(fault: Any) -> bool:
    return (
        isinstance(fault, dict)
        and fault.keys() == {"kind", "text", "place"}
        and all(isinstance(value, str) for value in fault.values())
        and fault["kind"] in KINDS
    )


def _add(fault: dict[str, str], faults: Faults) -> None:
    if fault["kind"] == "memory":  # the child had none left for words
        faults.add("memory", OUT_OF_MEMORY)
    else:
        faults.add(cast(FailureKind, fault["kind"]), fault["text"], fault["place"])


def _raw_row(game: str, row: dict[str, Any]) -> RawRow:
    return {
        "source": "games",
        "game": game,
        **row,
        "rules": "",
        "undetermined": [],
        "reasoning": "",
        "split": None,
        "licence": LICENCE,
    }
