"""What the views of all domains share: one row and its predictions as an HTML fragment.

A fragment is one ``<details>`` with the names of the filters that it belongs to in ``data-tags``:
the state before, what really happened, and what each model predicted, item by item. A domain's view
says what its items are and how one of them is written; how they are judged, counted, marked and cut
is the same everywhere. Everything from data or a model is escaped and bounded in length. The look
of the classes used here is the business of the page around it. Right and wrong lines carry a sign
and a word, not just a colour.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from worldtune.contracts import Domain, Row

MAX_LINES = 60
"""Lines shown of a state or of one list of items; predictions can be arbitrarily long."""

MAX_LINE_CHARS = 240
MAX_DEPTH = 12
"""Deepest indentation shown."""

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKS = {
    "right": ("&#10003;", "right"),
    "wrong": ("&#10007;", "wrong"),
    "missed": ("&#9675;", "missed"),
    "true": ("", ""),
}
_EPSILON = 1e-9


@dataclass(frozen=True)
class Line:
    """One displayed item: its identity and its verdict (right, wrong, missed or true)."""

    item: str
    verdict: str
    is_uncertain: bool = False


@dataclass(frozen=True)
class ItemWriter:
    """How a domain writes its items.

    write: an item as HTML. badge: what marks a true item that the input does not determine.
    """

    write: Callable[[str], str]
    badge: str


@dataclass(frozen=True)
class Example:
    """The parts of a fragment that a domain writes, as finished HTML.

    title: what stands beside the action while the fragment is closed. before: the state that the
    action met. truth: what happened then. answer: the lines of one prediction (None where it could
    not be read). is_uncertain: whether the input leaves part of the outcome open. is_unchanged:
    whether nothing happened.
    """

    title: str
    before: str
    truth: str
    answer: Callable[[Any], str]
    is_uncertain: bool
    is_unchanged: bool


def render(domain: Domain, row: Row, predictions: Mapping[str, Any], *, example: Example) -> str:
    """Put the parts of an example together.

    Args:
        domain: scores the predictions by its primary metric.
        row: a row of the transitions table.
        predictions: model name to its prediction, None for an unreadable answer; shown in this
            order, each with its score. "copy" always says that nothing changes, so only its score
            is shown; "sft" and "rlvr" are compared for the tags ``rlvr-better``, ``sft-better``.
        example: the parts.

    Returns:
        HTML with no script and no outside reference. Tags: rlvr-better, sft-better, the domain's
        uncertain subset, unchanged.
    """
    metric = domain.primary_metric
    scores = {name: domain.metrics(row, guess)[metric] for name, guess in predictions.items()}
    answers = "".join(
        _prediction_card(name, example.answer(guess), score=f"{metric.upper()} {scores[name]:.2f}")
        for name, guess in predictions.items()
        if name != "copy"
    )
    chips = "".join(
        f'<span class="chip model-{slug(name)}">{text(name.upper())} <b>{score:.2f}</b></span>'
        for name, score in scores.items()
    )
    tags = _compared(scores)
    tags += [domain.uncertain_subset] if example.is_uncertain else []
    tags += ["unchanged"] if example.is_unchanged else []
    return (
        f'<details class="example" data-tags="{" ".join(tags)}"><summary>'
        f"<code>{text(row['action'])}</code>{example.title}"
        f'<span class="chips">{chips}</span></summary>'
        f'<div class="example-body"><section class="before">{example.before}</section>'
        f'<div class="after"><section class="card truth"><h4>What really happened</h4>'
        f"{example.truth or _nothing('Nothing changed.')}</section>"
        f'<div class="answers">{answers}</div></div></div></details>'
    )


def _compared(scores: Mapping[str, float]) -> list[str]:
    """The tag that says which of the two trained models is better, if one is."""
    difference = scores.get("rlvr", 0.0) - scores.get("sft", 0.0)
    if not {"sft", "rlvr"} <= set(scores) or abs(difference) <= _EPSILON:
        return []
    return ["rlvr-better" if difference > 0 else "sft-better"]


def _prediction_card(name: str, body: str, *, score: str) -> str:
    title = f'<h4>{text(name.upper())} predicted <span class="score">{score}</span></h4>'
    return f'<section class="card model-{slug(name)}">{title}{body}</section>'


def note_of(prediction: Any | None) -> str:
    """What there is to say about a prediction without items; empty if it has some."""
    if prediction is None:
        return _nothing("Unreadable answer: not in the asked format.")
    return _nothing("Nothing changes.") if prediction.is_empty else ""


def uncertain_items(row: Row, column: str) -> Counter[str]:
    """True items that the input does not determine; none where the column is absent or null."""
    items = row.get(column)
    return Counter() if items is None or isinstance(items, float) else Counter(map(str, items))


def true_lines(items: Iterable[str], uncertain: Counter[str]) -> list[Line]:
    """The items that really happened; an item is uncertain as often as it is listed so."""
    unused = Counter(uncertain)
    return [Line(item, "true", _take(unused, item)) for item in items]


def judge(
    predicted: Sequence[str],
    wanted: Sequence[str],
    uncertain: Counter[str],
    *,
    place: Callable[[str], Hashable],
) -> list[Line]:
    """Tell right items from wrong ones, and name those that are missed.

    Args:
        predicted: items in the order of the prediction; one that is repeated is right once.
        wanted: the true items.
        uncertain: the true items that the input does not determine.
        place: what an item is about. A missed item follows the wrong one about the same.

    Returns:
        A line per predicted item, in order, and one per missed item.
    """
    left = Counter(wanted)
    judged = [(item, _take(left, item)) for item in predicted]
    missed: defaultdict[Hashable, deque[str]] = defaultdict(deque)
    for item in left.elements():
        missed[place(item)].append(item)
    lines = []
    for item, is_right in judged:
        verdict = "right" if is_right else "wrong"
        lines.append(Line(item, verdict, is_right and uncertain[item] > 0))
        others = missed[place(item)]
        if others and not is_right:
            other = others.popleft()
            left[other] -= 1
            lines.append(Line(other, "missed", uncertain[other] > 0))
    return lines + [Line(item, "missed", uncertain[item] > 0) for item in left.elements()]


def _take(left: Counter[str], item: str) -> bool:
    """Use up one occurrence of the item; False if none is left."""
    if left[item] <= 0:
        return False
    left[item] -= 1
    return True


def section(kind: str, heading: str, lines: list[Line], writer: ItemWriter) -> str:
    """Items under a heading (HTML, class ``kind``), as many as fit; empty without items."""
    if not lines:
        return ""
    items = "".join(_item(line, writer) for line in lines[:MAX_LINES])
    return f'<div class="lines {kind}"><h5>{heading}</h5><ul>{items}</ul>{more(len(lines))}</div>'


def signed(sign: str, heading: str) -> str:
    """A heading after a sign that is there for the eye only; both are HTML."""
    return f'<span aria-hidden="true">{sign}</span> {heading}'


def _item(line: Line, writer: ItemWriter) -> str:
    sign, word = _MARKS[line.verdict]
    mark = f'<span class="mark" aria-hidden="true">{sign}</span>' if sign else ""
    spoken = f'<span class="sr">{word}: </span>' if word else ""
    badge = writer.badge if line.is_uncertain else ""
    return (
        f'<li class="{line.verdict}">{mark}{spoken}<span>{writer.write(line.item)}{badge}</span>'
        "</li>"
    )


def badge(word: str, *, meaning: str) -> str:
    """A small mark behind an item, explained where the pointer rests on it."""
    return f'<span class="badge" title="{text(meaning)}">{text(word)}</span>'


def tree_line(body: str, *, depth: int, is_target: bool) -> str:
    """One element of the state before (HTML), indented, marked if the action is about it."""
    mark = ' class="target"' if is_target else ""
    note = '<span class="sr"> (acted on)</span>' if is_target else ""
    return f'<li{mark} style="--depth:{min(depth, MAX_DEPTH)}">{body}{note}</li>'


def tree(lines: Iterable[str], *, total: int) -> str:
    """The lines of a state before; ``total`` counts those that are not shown, too."""
    return f'<ol class="tree">{"".join(lines)}</ol>{more(total)}'


def context(parts: Iterable[tuple[str, str]]) -> str:
    """Words about the moment, as (label, value) pairs of plain text; empty values are left out."""
    spans = [f"<span><i>{label}</i> {text(value)}</span>" for label, value in parts if value]
    return f'<p class="context">{"".join(spans)}</p>' if spans else ""


def more(count: int) -> str:
    """How many of ``count`` lines are not shown."""
    rest = count - MAX_LINES
    return f'<p class="more">and {rest:,} more lines</p>' if rest > 0 else ""


def _nothing(sentence: str) -> str:
    return f'<p class="nothing">{sentence}</p>'


def text(value: object, *, limit: int = MAX_LINE_CHARS) -> str:
    """Data as visible text: bounded, control characters replaced, escaped."""
    shown = str(value)
    if len(shown) > limit:
        shown = shown[:limit] + " ..."
    return escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", shown))


def slug(name: str) -> str:
    """A name as part of a class name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
