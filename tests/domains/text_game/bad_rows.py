"""Lines of GPT-simulator that end in quarantine: what is odd about each, its reason, the line."""

from typing import Any

from tests.domains.text_game.raw_rows import (
    AGENT,
    LAMP,
    ROOM,
    lines,
    objects,
    simulator_row,
    state,
)


def before(*things: Any) -> dict[str, Any]:
    return {"current_state": state(list(things), "look")}


def after(**changes: Any) -> dict[str, Any]:
    return {"tick_state": {**state(objects(on=True), "switch on lamp (ID: 2)"), **changes}}


BAD: dict[str, tuple[str, bytes]] = {
    "no action": ("missing_field", lines(simulator_row(**after(lastAction=None)))),
    '`"state_id": "first"`': ("missing_field", lines(simulator_row(state_id="first"))),
    "a line cut off in the middle": ("not_json", lines(simulator_row())[:30]),
    "100,000 opening brackets": ("not_json", b"[" * 100_000),
    "a Latin-1 `caf\u00e9`": (
        "not_utf8",
        lines(simulator_row(game="caf#")).replace(b"#", b"\xe9"),
    ),
    'the escape `"\\ud800"` in a text': ("not_utf8", lines(simulator_row(game="\ud800"))),
    "a null character": ("not_utf8", lines(simulator_row(game="\0"))),
    "a property of 10,000 letters": (
        "too_long",
        lines(simulator_row(**before(*objects(text="x" * 10_000)))),
    ),
    "a line of 10 MB": ("too_long", lines(simulator_row(look="x" * 10_000_000))),
    "no state after the step": ("missing_state", lines(simulator_row(tick_state=None))),
    "no score after the step": ("missing_state", lines(simulator_row(next_score_state=None))),
    "a state without objects": ("missing_state", lines(simulator_row(**before()))),
    "an object without uuid": (
        "malformed_object",
        lines(simulator_row(**before({**LAMP, "uuid": None}))),
    ),
    '`"properties": 3`': (
        "malformed_object",
        lines(simulator_row(**before({**LAMP, "properties": 3}))),
    ),
    "two objects with uuid 0": (
        "duplicate_uuid",
        lines(simulator_row(**before(ROOM, AGENT, AGENT))),
    ),
    "`NaN`": ("not_finite", lines(simulator_row(**before(*objects(heat=float("nan")))))),
    "`1e999`": ("not_finite", lines(simulator_row()).replace(b"20.5", b"1e999")),
}
