"""Row checks: a raw row becomes a complete row of the transitions table, or one fault.

The checks are the same for every source and run cheap and bounding ones first, so that a hostile
row costs no more than a long one. The classes of a row (changed, gold, by the action or the tick)
are those of ByteSized32-SP: objects are compared by uuid, and a row is gold if a property or the
content of an object differs that is there before and after.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from worldtune.domains.text_game.raw_state import json_columns, read_objects, read_score
from worldtune.domains.text_game.state import Changes, Object, canonical_json, diff, make_state
from worldtune.ingestion.rows import (
    CHARS_PER_TOKEN,
    SHARED_REASONS,
    RowFault,
    check_encoding,
    optional_int,
    optional_text,
    require_text,
    stable_id,
)

ROLLOUTS = ("gold", "random", "branch", "")
REASONS = {
    **SHARED_REASONS,
    "missing_state": "no list of objects or no score record before or after the step",
    "malformed_object": "an object whose uuid, name, type, properties or content is missing or odd",
    "duplicate_uuid": "one uuid on two objects of a state",
    "not_finite": "NaN, an infinity or another number that JSON cannot hold",
    "unreadable_answer": "an answer that states no change of the state",
    "game_failed": "a game, or a part of it, that could not be played",
}
"""Every reason for quarantine."""

COLUMNS = (
    "row_id",
    "source",
    "game",
    "seed",
    "step",
    "rollout",
    "task_desc",
    "rules",
    "state",
    "action_state",
    "next_state",
    "score",
    "next_score",
    "uuid_base",
    "action",
    "changed",
    "changed_by",
    "score_changed",
    "gold",
    "num_added",
    "num_removed",
    "num_modified",
    "determined",
    "undetermined_items",
    "tokens_est",
    "reasoning",
    "split",
    "licence",
)
"""The transitions table, in its order."""


def complete_row(raw: Mapping[str, Any], *, number: int, max_tokens: int) -> dict[str, Any]:
    """Check one raw row and fill in the columns that follow from it.

    Args:
        raw: one row of a reader, with the keys of the raw format.
        number: position in the source, from 0, the default of ``step``.
        max_tokens: longest estimate that is accepted, of state and answer together.

    Returns:
        A row of the transitions table; ``split`` is as the source names it.

    Raises:
        RowFault: with the first reason that applies.
    """
    texts = _texts(raw)
    _check_length(len(texts["action"]) + len(texts["task_desc"]), max_tokens)
    before = read_objects(raw, "objects")
    middle = None if raw.get("action_objects") is None else read_objects(raw, "action_objects")
    after = read_objects(raw, "next_objects")
    scores = read_score(raw, "score"), read_score(raw, "next_score")
    columns = json_columns(before, middle, after, scores=scores)
    _check_length(
        max(len(columns[name]) for name in ("state", "action_state", "next_state")), max_tokens
    )
    changes = diff(make_state(before, scores[0]), make_state(after, scores[1]))
    row = {
        **texts,
        "seed": _count(raw, "seed", 0),
        "step": _count(raw, "step", number),
        **columns,
        "uuid_base": _count(raw, "uuid_base", max(thing["uuid"] for thing in before) + 1),
        **_classes(changes),
        "changed_by": _changed_by(before, middle, after),
        **_undetermined(raw),
        "tokens_est": _tokens(columns["state"], changes, after),
        "split": raw.get("split"),
    }
    _check_length(row["tokens_est"] * CHARS_PER_TOKEN, max_tokens)
    row["row_id"] = row_id(row)
    return {name: row[name] for name in COLUMNS}


def row_id(row: Mapping[str, Any]) -> str:
    """The first 16 hex digits of the sha1 over what identifies a transition; stable over runs."""
    keys = ("source", "game", "seed", "step", "rollout", "state", "score", "action")
    return stable_id(row[key] for key in keys)


def _texts(raw: Mapping[str, Any]) -> dict[str, str]:
    texts = {
        "source": require_text(raw, "source"),
        "action": require_text(raw, "action").strip(),
        **{
            name: optional_text(raw, name, "")
            for name in ("game", "rollout", "task_desc", "rules", "reasoning", "licence")
        },
    }
    if texts["rollout"] not in ROLLOUTS:
        raise RowFault(
            "missing_field",
            f"rollout is {texts['rollout'][:40]!r}; expected gold, random, branch or nothing",
        )
    check_encoding("\n".join(texts.values()))
    return texts


def _count(raw: Mapping[str, Any], name: str, default: int) -> int:
    value = optional_int(raw, name, default)
    if value < 0:
        raise RowFault("missing_field", f"{name} is {value}; expected 0 or more")
    return value


def _check_length(num_chars: int, max_tokens: int) -> None:
    estimate = -(-num_chars // CHARS_PER_TOKEN)
    if estimate > max_tokens:
        raise RowFault(
            "too_long",
            f"about {estimate:,} tokens; text_game.ingest.max_tokens allows {max_tokens:,}",
        )


def _classes(changes: Changes) -> dict[str, Any]:
    """What kind of change a row shows. Names and types do not make it gold, as in the paper."""
    return {
        "changed": not changes.is_empty,
        "score_changed": bool(changes.score),
        "gold": any(name not in ("name", "type") for _, name, _ in changes.modified),
        "num_added": len(changes.added),
        "num_removed": len(changes.removed),
        "num_modified": len({uuid for uuid, _, _ in changes.modified}),
    }


def _changed_by(
    before: Sequence[Object], middle: Sequence[Object] | None, after: Sequence[Object]
) -> str:
    """Which phase changes objects; unknown where they change and the source does not tell."""
    if middle is None:
        return "unknown" if _differ(before, after) else "none"
    by_action, by_tick = _differ(before, middle), _differ(middle, after)
    if by_action and by_tick:
        return "both"
    return "action" if by_action else "tick" if by_tick else "none"


def _differ(first: Sequence[Object], second: Sequence[Object]) -> bool:
    return not diff(make_state(first, {}), make_state(second, {})).is_empty


def _undetermined(raw: Mapping[str, Any]) -> dict[str, Any]:
    items = raw.get("undetermined") or []
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise RowFault("missing_field", "undetermined is no list of texts")
    return {"determined": not items, "undetermined_items": list(items)}


def _tokens(state: str, changes: Changes, after: Sequence[Object]) -> int:
    """Estimated tokens of the state and of an answer that writes touched objects whole."""
    touched = {uuid for uuid, _, _ in changes.modified} | {it["uuid"] for it in changes.added}
    answer = canonical_json(
        {
            "modified": [thing for thing in after if thing["uuid"] in touched],
            "removed": changes.removed,
            "score": dict(changes.score),
        }
    )
    return -(-(len(state) + len(answer)) // CHARS_PER_TOKEN)
