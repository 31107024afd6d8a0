"""One transition and what the models said about it, as an HTML fragment for the run report.

The page before the action, the true change and each prediction, line by line. How lines are judged
and marked, and how everything from data or a model is kept harmless, stands in
``domains.fragment``; here is what a page and its lines look like.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from worldtune.contracts import Domain, Row
from worldtune.domains import fragment
from worldtune.domains.fragment import Line, text
from worldtune.domains.web.metrics import truth
from worldtune.domains.web.tree import Changes

_SECTIONS = (("new", "New", "+"), ("deleted", "Deleted", "&minus;"), ("updated", "Updated", "~"))
_ID = re.compile(r"\[(\d{1,9})\]")
_ELEMENT = re.compile(r"^(\[\d{1,9}\])(.*)$", re.DOTALL)


def render_example(domain: Domain, row: Row, predictions: Mapping[str, Any]) -> str:
    """One row as a collapsed ``<details>`` fragment.

    Args:
        domain: the web domain, which scores the predictions.
        row: a row of the transitions table; ``hidden_items`` may be absent.
        predictions: model name to its ``Changes``, None for an unreadable answer; see
            ``fragment.render``.

    Returns:
        HTML with no script and no outside reference.
    """
    true = truth(row)
    hidden = fragment.uncertain_items(row, "hidden_items")
    example = fragment.Example(
        title=f'{_target_name(row)}<span class="where">{text(row["site"])} / {text(row["task"])}'
        "</span>",
        before=f"<h4>Page before the action</h4>{_context(row)}"
        f"{_tree(str(row['observation']), str(row['action']))}",
        truth=_sections([fragment.true_lines(lines, hidden) for lines in true.sections]),
        answer=partial(_answer, true=true, hidden=hidden),
        is_uncertain=bool(hidden),
        is_unchanged=true.is_empty,
    )
    return fragment.render(domain, row, predictions, example=example)


def _context(row: Row) -> str:
    """Where the page is and what was wanted there, as far as the row says."""
    labels = (("url", "at"), ("objective", "to"), ("previous_action", "after"))
    values = [(label, row.get(key)) for key, label in labels]
    return fragment.context(
        (label, value) for label, value in values if isinstance(value, str) and value != "None"
    )


def _target_name(row: Row) -> str:
    """The element acted on, without its id, so that a closed example tells its story."""
    target = _ID.search(str(row["action"]))
    if target is None:
        return ""
    bodies = (line.lstrip("\t") for line in str(row["observation"]).split("\n"))
    body = next((body for body in bodies if body.startswith(f"{target[0]} ")), "")
    return f"<code>{text(body.removeprefix(target[0]).strip())}</code>" if body else ""


def _tree(observation: str, action: str) -> str:
    """The page as indented lines, the acted-on element marked."""
    target = _ID.search(action)
    lines = [line for line in observation.split("\n") if line.strip()]
    shown = [_tree_line(line, target and target[0]) for line in lines[: fragment.MAX_LINES]]
    return fragment.tree(shown, total=len(lines))


def _tree_line(line: str, target: str | None) -> str:
    body = line.lstrip("\t")
    is_target = target is not None and body.startswith(f"{target} ")
    depth = len(line) - len(body)
    return fragment.tree_line(_line_html(body), depth=depth, is_target=is_target)


def _answer(guess: Changes | None, *, true: Changes, hidden: Counter[str]) -> str:
    """What a model predicted, judged section by section."""
    pairs = zip((guess or Changes()).sections, true.sections, strict=True)
    judged = [fragment.judge(*pair, hidden, place=_element_id) for pair in pairs]
    return fragment.note_of(guess) + _sections(judged)


def _sections(sections: Iterable[list[Line]]) -> str:
    return "".join(
        fragment.section(name, fragment.signed(sign, label), lines, _WRITER)
        for (name, label, sign), lines in zip(_SECTIONS, sections, strict=True)
    )


def _element_id(line: str) -> str:
    match = _ID.match(line)
    return match[0] if match else line


def _line_html(line: str) -> str:
    """An element line with its id set apart."""
    match = _ELEMENT.match(line)
    if match is None:
        return f"<code>{text(line)}</code>"
    return f'<code><span class="id">{match[1]}</span>{text(match[2])}</code>'


_WRITER = fragment.ItemWriter(
    write=_line_html,
    badge=fragment.badge("hidden", meaning="The page and the action do not determine this line"),
)
