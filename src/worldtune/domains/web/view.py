"""One transition and what the models said about it, as an HTML fragment for the run report.

The page before the action, the true change and each prediction, line by line. Everything that comes
from data or from a model is escaped and bounded in length. The fragment is one ``<details>`` with
the names of the filters that it belongs to in ``data-tags``; its look (the classes used here) is
the business of the page around it. Right and wrong lines carry a sign, not just a colour.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from worldtune.contracts import Row
from worldtune.domains.web.metrics import metrics, truth
from worldtune.domains.web.tree import Changes

MAX_LINES = 60
"""Lines shown of a page or of one section; predictions can be arbitrarily long."""

MAX_LINE_CHARS = 240

_SECTIONS = (("new", "New", "+"), ("deleted", "Deleted", "&minus;"), ("updated", "Updated", "~"))
_ID = re.compile(r"\[(\d{1,9})\]")
_ELEMENT = re.compile(r"^(\[\d{1,9}\])(.*)$", re.DOTALL)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKS = {
    "right": ("&#10003;", "right"),
    "wrong": ("&#10007;", "wrong"),
    "missed": ("&#9675;", "missed"),
    "true": ("", ""),
}
_EPSILON = 1e-9


@dataclass(frozen=True)
class _Line:
    """One displayed line: its text and its verdict (right, wrong, missed or true)."""

    text: str
    verdict: str
    is_hidden: bool = False


def render_example(row: Row, predictions: Mapping[str, Changes | None]) -> str:
    """One row as a collapsed ``<details>`` fragment.

    Args:
        row: a row of the transitions table; ``hidden_items`` may be absent.
        predictions: model name to its prediction, None for an unreadable answer; shown in this
            order, each with its F1. "copy" always says that nothing changes, so only its F1 is
            shown; "sft" and "rlvr" are compared for the tags ``rlvr-better`` and ``sft-better``.

    Returns:
        HTML with no script and no outside reference. Tags: rlvr-better, sft-better, hidden,
        unchanged.
    """
    true = truth(row)
    hidden = _hidden_lines(row)
    scores = {name: metrics(guess, true)["f1"] for name, guess in predictions.items()}
    answers = "".join(
        _prediction_card(name, guess, true, hidden, scores[name])
        for name, guess in predictions.items()
        if name != "copy"
    )
    tags = " ".join(_tags(scores, has_hidden=bool(hidden), is_empty=true.is_empty))
    chips = "".join(
        f'<span class="chip model-{_slug(name)}">{_text(name.upper())} <b>{score:.2f}</b></span>'
        for name, score in scores.items()
    )
    return (
        f'<details class="example" data-tags="{tags}"><summary>'
        f"<code>{_text(row['action'])}</code>{_target_name(row)}"
        f'<span class="where">{_text(row["site"])} / {_text(row["task"])}</span>'
        f'<span class="chips">{chips}</span></summary>'
        f'<div class="example-body"><section class="before"><h4>Page before the action</h4>'
        f"{_context(row)}{_tree(str(row['observation']), str(row['action']))}</section>"
        f'<div class="after">{_truth_card(true, hidden)}'
        f'<div class="answers">{answers}</div></div></div></details>'
    )


def _hidden_lines(row: Row) -> Counter[str]:
    """True lines that the input does not determine; none where the column is absent or null."""
    items = row.get("hidden_items")
    return Counter() if items is None or isinstance(items, float) else Counter(map(str, items))


def _tags(scores: Mapping[str, float], *, has_hidden: bool, is_empty: bool) -> list[str]:
    tags = []
    if "sft" in scores and "rlvr" in scores:
        difference = scores["rlvr"] - scores["sft"]
        if difference > _EPSILON:
            tags.append("rlvr-better")
        if difference < -_EPSILON:
            tags.append("sft-better")
    if has_hidden:
        tags.append("hidden")
    if is_empty:
        tags.append("unchanged")
    return tags


def _context(row: Row) -> str:
    """Where the page is and what was wanted there, as far as the row says."""
    parts = []
    for key, label in (("url", "at"), ("objective", "to"), ("previous_action", "after")):
        value = row.get(key)
        if isinstance(value, str) and value and value != "None":
            parts.append(f"<span><i>{label}</i> {_text(value)}</span>")
    return f'<p class="context">{"".join(parts)}</p>' if parts else ""


def _target_name(row: Row) -> str:
    """The element acted on, without its id, so that a closed example tells its story."""
    target = _ID.search(str(row["action"]))
    if target is None:
        return ""
    bodies = (line.lstrip("\t") for line in str(row["observation"]).split("\n"))
    body = next((body for body in bodies if body.startswith(f"{target[0]} ")), "")
    return f"<code>{_text(body.removeprefix(target[0]).strip())}</code>" if body else ""


def _tree(observation: str, action: str) -> str:
    """The page as indented lines, the acted-on element marked."""
    target = _ID.search(action)
    lines = [line for line in observation.split("\n") if line.strip()]
    shown = "".join(_tree_line(line, target and target[0]) for line in lines[:MAX_LINES])
    return f'<ol class="tree">{shown}</ol>{_more(len(lines))}'


def _tree_line(line: str, target: str | None) -> str:
    body = line.lstrip("\t")
    depth = min(len(line) - len(body), 12)
    is_target = target is not None and body.startswith(f"{target} ")
    mark = ' class="target"' if is_target else ""
    note = '<span class="sr"> (acted on)</span>' if is_target else ""
    return f'<li{mark} style="--depth:{depth}">{_line_html(body)}{note}</li>'


def _truth_card(true: Changes, hidden: Counter[str]) -> str:
    unused = Counter(hidden)
    body = "".join(
        _section(key, [_Line(line, "true", _take(unused, line)) for line in lines])
        for key, lines in zip(_SECTIONS, true.sections, strict=True)
    )
    return (
        '<section class="card truth"><h4>What really happened</h4>'
        f"{body or _nothing('Nothing changed.')}</section>"
    )


def _prediction_card(
    name: str, guess: Changes | None, true: Changes, hidden: Counter[str], score: float
) -> str:
    title = f'<h4>{_text(name.upper())} predicted <span class="score">F1 {score:.2f}</span></h4>'
    note = ""
    if guess is None:
        note = _nothing("Unreadable answer: not in the asked format.")
    elif guess.is_empty:
        note = _nothing("Nothing changes.")
    sections = zip(_SECTIONS, (guess or Changes()).sections, true.sections, strict=True)
    body = "".join(
        _section(key, _compare(predicted, wanted, hidden)) for key, predicted, wanted in sections
    )
    return f'<section class="card model-{_slug(name)}">{title}{note}{body}</section>'


def _compare(predicted: Iterable[str], wanted: Iterable[str], hidden: Counter[str]) -> list[_Line]:
    """Judge the lines of one section; a missed line follows the wrong one about its element."""
    left = Counter(wanted)
    judged = [(line, _take(left, line)) for line in predicted]
    missed = list(left.elements())
    lines = []
    for line, is_right in judged:
        lines.append(_Line(line, "right" if is_right else "wrong", is_right and hidden[line] > 0))
        near = [] if is_right else [m for m in missed if _element_id(m) == _element_id(line)]
        for other in near[:1]:
            missed.remove(other)
            lines.append(_Line(other, "missed", hidden[other] > 0))
    return lines + [_Line(line, "missed", hidden[line] > 0) for line in missed]


def _take(left: Counter[str], line: str) -> bool:
    """Use up one occurrence of the line; False if none is left."""
    if left[line] <= 0:
        return False
    left[line] -= 1
    return True


def _element_id(line: str) -> str:
    match = _ID.match(line)
    return match[0] if match else line


def _section(key: tuple[str, str, str], lines: list[_Line]) -> str:
    if not lines:
        return ""
    name, label, sign = key
    items = "".join(_item(line) for line in lines[:MAX_LINES])
    return (
        f'<div class="lines {name}"><h5><span aria-hidden="true">{sign}</span> {label}</h5>'
        f"<ul>{items}</ul>{_more(len(lines))}</div>"
    )


def _item(line: _Line) -> str:
    sign, word = _MARKS[line.verdict]
    mark = f'<span class="mark" aria-hidden="true">{sign}</span>' if sign else ""
    spoken = f'<span class="sr">{word}: </span>' if word else ""
    badge = (
        '<span class="badge" title="The page and the action do not determine this line">'
        "hidden</span>"
        if line.is_hidden
        else ""
    )
    return (
        f'<li class="{line.verdict}">{mark}{spoken}<span>{_line_html(line.text)}{badge}</span></li>'
    )


def _line_html(line: str) -> str:
    """An element line with its id set apart."""
    match = _ELEMENT.match(line)
    if match is None:
        return f"<code>{_text(line)}</code>"
    return f'<code><span class="id">{match[1]}</span>{_text(match[2])}</code>'


def _more(count: int) -> str:
    rest = count - MAX_LINES
    return f'<p class="more">and {rest:,} more lines</p>' if rest > 0 else ""


def _nothing(sentence: str) -> str:
    return f'<p class="nothing">{sentence}</p>'


def _text(value: object) -> str:
    """Data as visible text: bounded, control characters replaced, escaped."""
    text = str(value)
    if len(text) > MAX_LINE_CHARS:
        text = text[:MAX_LINE_CHARS] + " ..."
    return escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
