"""Row checks: a raw row becomes a complete row of the transitions table, or one fault.

The checks are the same for every format and run in the order of ``REASONS``, cheap and bounding
ones first. What a source leaves out is filled in here: the three lists from the two pages, the
derived flags, next_id and the row id.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from worldtune.domains.web.tree import Changes, Node, TreeError, diff, parse_line, parse_tree
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

REASONS = {
    **SHARED_REASONS,
    "unparsable_tree": "a page or an item line that is not accessibility-tree text",
    "duplicate_ids": "one id on two elements of a page",
    "unknown_action": "an action that is not in the vocabulary",
    "action_target_missing": "an action on an id that is not on the page",
    "empty_target_changed": "flagged as changed, yet no item is listed",
    "inconsistent_diff": "the lists differ from the difference of the two pages",
}
"""Every reason for quarantine, in the order in which the checks look for them."""

_LISTS = ("new_items", "deleted_items", "updated_items")
_ACTIONS = re.compile(
    r"(?:(?:click|hover) \[(?P<target>\d{1,9})\]"
    r"|type \[(?P<typed>\d{1,9})\] \[.*\](?: \[[01]\])?"
    r"|select \[(?P<selected>\d{1,9})\] \[.*\]"
    r"|press \[.+\]|scroll \[?(?:up|down)\]?|goto \[.+\]|tab_focus \[\d{1,4}\]|stop(?: \[.*\])?"
    r"|new_tab|close_tab|go_back|go_forward)"
)
_WORD = re.compile(r"[^\W\d_]+")
_QUOTED = re.compile(r"'(.*)'")


def complete_row(
    raw: Mapping[str, Any], *, kind: str, number: int, max_tokens: int
) -> dict[str, Any]:
    """Check one raw row and fill in the columns that its source leaves out.

    Args:
        raw: one row of a reader.
        kind: its format, the default of ``source``.
        number: position in the source, from 0, the default of ``step``.
        max_tokens: longest estimate that is accepted, of both pages, context and changes together.

    Returns:
        A row of the transitions table; ``split`` is None where the source names none.

    Raises:
        RowFault: with the first reason that applies.
    """
    texts = _texts(raw)
    lists = _given_lists(raw)
    check_encoding("\n".join([*texts.values(), *(it for lines in lists or () for it in lines)]))
    _check_length([*texts.values(), *(line for lines in lists or () for line in lines)], max_tokens)
    before = parse_page(texts["observation"], "observation")
    after = (
        parse_page(texts["next_observation"], "next_observation")
        if texts["next_observation"]
        else None
    )
    ids = {node.id for node in before}
    _check_action(texts["action"], ids)
    changes = _changes(lists, before, after)
    _check_flag(raw.get("changed"), changes)
    row = {
        "source": optional_text(raw, "source", kind),
        "page_set": optional_text(raw, "page_set", "user"),
        "site": optional_text(raw, "site", "") or urlsplit(texts["url"][:2000]).netloc or "unknown",
        "task": optional_text(raw, "task", "") or texts["objective"],
        "seed": optional_int(raw, "seed", 0),
        "step": optional_int(raw, "step", number),
        **texts,
        "next_id": optional_int(raw, "next_id", max(ids) + 1),
        **dict(zip(_LISTS, map(list, changes.sections), strict=True)),
    }
    return {
        "row_id": raw.get("row_id") or row_id(row),
        **row,
        **_derived(raw, texts, changes),
        **_rest(raw),
    }


def row_id(row: Mapping[str, Any]) -> str:
    """The first 16 hex digits of the sha1 over what identifies a transition; stable over runs."""
    keys = ("source", "site", "task", "seed", "step", "observation", "action")
    return stable_id(row[key] for key in keys)


def estimate_tokens(texts: list[str]) -> int:
    """Estimated tokens of some texts, each closed by a line break; rounded up."""
    return -(-sum(len(text) + 1 for text in texts) // CHARS_PER_TOKEN)


def hidden_lines(context: str, changes: Changes) -> list[str]:
    """The new and updated lines with a word in quotes that occurs nowhere in the context.

    The rule of thumb for data whose recorder did not say what can be derived: numbers are taken
    to be computable, other words must have been seen.
    """
    seen = set(_WORD.findall(context.lower()))
    return [
        line
        for line in (*changes.new, *changes.updated)
        if not seen.issuperset(_WORD.findall(" ".join(_QUOTED.findall(line)).lower()))
    ]


def parse_page(text: str, column: str) -> tuple[Node, ...]:
    """Parse a page (cached: what one action leaves, the next one finds). Raises RowFault."""
    try:
        return _parse_page(text)
    except TreeError as error:
        reason = "duplicate_ids" if _has_only_repeated_ids(text) else "unparsable_tree"
        raise RowFault(reason, f"{column}: {error}") from error


@lru_cache(maxsize=64)
def _parse_page(text: str) -> tuple[Node, ...]:
    return tuple(parse_tree(text))


def _has_only_repeated_ids(text: str) -> bool:
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("Tab ")]
    try:
        counts = Counter(parse_line(line).id for line in lines)
    except TreeError:
        return False
    return any(count > 1 for count in counts.values())


def _texts(raw: Mapping[str, Any]) -> dict[str, str]:
    return {
        "url": optional_text(raw, "url", ""),
        "objective": optional_text(raw, "objective", ""),
        "previous_action": optional_text(raw, "previous_action", "") or "None",
        "observation": require_text(raw, "observation"),
        "action": require_text(raw, "action").strip(),
        "next_observation": optional_text(raw, "next_observation", ""),
    }


def _given_lists(raw: Mapping[str, Any]) -> tuple[tuple[str, ...], ...] | None:
    """The three lists that a source brings; None if it brings none and the pages must tell."""
    values = [raw.get(name) for name in _LISTS]
    if all(value is None for value in values):
        if not raw.get("next_observation"):
            raise RowFault(
                "missing_field", "neither next_observation nor new, deleted and updated items"
            )
        return None
    lists = []
    for name, value in zip(_LISTS, values, strict=True):
        if not isinstance(value, list | tuple) or not all(isinstance(line, str) for line in value):
            raise RowFault("missing_field", f"{name} is not a list of texts")
        lists.append(tuple(value))
    return tuple(lists)


def _check_length(texts: list[str], max_tokens: int) -> None:
    estimate = estimate_tokens(texts)
    if estimate > max_tokens:
        raise RowFault(
            "too_long", f"about {estimate:,} tokens; web.ingest.max_tokens allows {max_tokens:,}"
        )


def _check_action(action: str, ids: set[int]) -> None:
    match = _ACTIONS.fullmatch(action)
    if match is None:
        raise RowFault(
            "unknown_action",
            f"{action[:60]!r}; expected click, hover, type, select, press, scroll, goto, go_back, "
            "go_forward, new_tab, tab_focus, close_tab or stop with its arguments",
        )
    target = match["target"] or match["typed"] or match["selected"]
    if target is not None and int(target) not in ids:
        raise RowFault(
            "action_target_missing",
            f"{action[:60]!r}: no element [{int(target)}] on the page "
            f"({len(ids)} elements, ids {min(ids)} to {max(ids)})",
        )


def _changes(
    lists: tuple[tuple[str, ...], ...] | None,
    before: tuple[Node, ...],
    after: tuple[Node, ...] | None,
) -> Changes:
    """The true changes: computed where both pages are there; lists of the row must agree."""
    if after is None:
        assert lists is not None, "a row without lists needs a next page"
        for name, lines in zip(_LISTS, lists, strict=True):
            _check_lines(name, lines)
        return Changes(*lists)
    computed = diff(before, after)
    if lists is not None and lists != computed.sections:
        _compare(lists, computed)
    return computed


def _check_lines(name: str, lines: tuple[str, ...]) -> None:
    try:
        for line in lines:
            parse_line(line)
    except TreeError as error:
        raise RowFault("unparsable_tree", f"{name}: {error}") from error


def _compare(lists: tuple[tuple[str, ...], ...], computed: Changes) -> None:
    """Raise unless the lists differ from the computed ones in order only."""
    for name, given, expected in zip(_LISTS, lists, computed.sections, strict=True):
        surplus, missing = Counter(given) - Counter(expected), Counter(expected) - Counter(given)
        if surplus or missing:
            example = next(iter(surplus or missing))
            raise RowFault(
                "inconsistent_diff",
                f"{name} differs from what the two pages show: {surplus.total()} too many, "
                f"{missing.total()} missing, such as {example[:80]!r}",
            )


def _check_flag(flag: Any, changes: Changes) -> None:
    if flag is None:
        return
    if flag and changes.is_empty:
        raise RowFault(
            "empty_target_changed", "changed is true, yet no item is new, deleted or updated"
        )
    if not flag and not changes.is_empty:
        count = sum(map(len, changes.sections))
        raise RowFault("inconsistent_diff", f"changed is false, yet {count} items are listed")


def _derived(raw: Mapping[str, Any], texts: Mapping[str, str], changes: Changes) -> dict[str, Any]:
    hidden = raw.get("hidden_items")
    if hidden is None:
        context = " ".join(
            texts[key] for key in ("url", "objective", "previous_action", "observation", "action")
        )
        hidden = hidden_lines(context, changes)
    elif not set(hidden).issubset((*changes.new, *changes.updated)):
        raise RowFault(
            "inconsistent_diff", "hidden_items holds a line that is neither new nor updated"
        )
    return {
        "hidden_items": list(hidden),
        "changed": not changes.is_empty,
        "structural": bool(changes.new or changes.deleted),
        "focus_only": bool(raw.get("focus_only")),
        "predictable": not hidden,
        "obs_tokens_est": optional_int(
            raw, "obs_tokens_est", estimate_tokens([texts["observation"]])
        ),
        "diff_tokens_est": optional_int(
            raw,
            "diff_tokens_est",
            estimate_tokens([line for lines in changes.sections for line in lines]),
        ),
    }


def _rest(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What the source says of itself, and the optional column ``reasoning``."""
    reward, split = raw.get("reward"), raw.get("split")
    if reward is not None and not isinstance(reward, int | float):
        raise RowFault(
            "missing_field", f"reward is of type {type(reward).__name__}; expected a number"
        )
    rest = {
        "stable": raw.get("stable") is not False,
        "done": bool(raw.get("done")),
        "reward": float(reward or 0.0),
        "split": split,
        **{name: optional_text(raw, name, "") for name in ("recorder", "browser", "licence")},
    }
    return {**rest, "reasoning": raw["reasoning"]} if "reasoning" in raw else rest
