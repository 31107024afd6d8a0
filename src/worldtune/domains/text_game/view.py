"""One step of a game and what the models said about it, as an HTML fragment for the run report.

The state before as a tree, then the true change and each prediction, object by object and property
by property. How items are judged and marked, and how everything from data or a model is kept
harmless, stands in ``domains.fragment``; how one item is written, in ``items``.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Protocol

from worldtune.contracts import Domain, Row
from worldtune.domains import fragment
from worldtune.domains.fragment import Line, text
from worldtune.domains.text_game.containment import Place, outline
from worldtune.domains.text_game.items import Item, item_html, items_of, pairs_html
from worldtune.domains.text_game.state import Changes, State, diff, effective, states_of

_MOMENTS = {
    "full": "State before the action",
    "action": "State before the action",
    "tick": "State after the action, before the world's own step",
    "score": "State after the step",
}
_SIGNS = {"added": "+", "removed": "&minus;", "changed": "~", "scored": "~"}


class TextGame(Domain, Protocol):
    """The text-game domain, as far as it matters here."""

    @property
    def mode(self) -> str:
        """Which part of the step is asked for; see ``state.states_of``."""


def render_example(domain: TextGame, row: Row, predictions: Mapping[str, Any]) -> str:
    """One row as a collapsed ``<details>`` fragment.

    Args:
        domain: the text-game domain, which scores the predictions and knows the mode.
        row: a row of the transitions table; ``undetermined_items`` may be absent.
        predictions: model name to its ``Changes``, None for an unreadable answer; see
            ``fragment.render``.

    Returns:
        HTML with no script and no outside reference.
    """
    before, after = states_of(row, domain.mode)
    judge = _Judge(
        before=before,
        true=diff(before, after),
        undetermined=fragment.uncertain_items(row, "undetermined_items"),
        badge=fragment.badge(
            domain.uncertain_subset, meaning="The state and the action do not determine this"
        ),
    )
    example = fragment.Example(
        title=f'<span class="where">{text(row["game"])}</span>',
        before=f"<h4>{_MOMENTS[domain.mode]}</h4>{_context(row, before)}"
        f"{_tree(before, str(row['action']))}",
        truth=judge.truth(),
        answer=judge.answer,
        is_uncertain=domain.uncertain_subset in domain.subsets(row),
        is_unchanged=judge.true.is_empty,
    )
    return fragment.render(domain, row, predictions, example=example)


def _context(row: Row, before: State) -> str:
    score = ", ".join(f"{key} {json.dumps(value)}" for key, value in before.score.items())
    parts = [("task", str(row["task_desc"])), ("score", score.removeprefix("score "))]
    return fragment.context(parts)


def _tree(before: State, action: str) -> str:
    """The objects under what contains them; those that the action names are marked."""
    places = outline(list(before.objects.values()))
    named = _named_in(action, {place.name for place in places})
    shown = [
        fragment.tree_line(
            _place_html(place),
            depth=place.depth,
            is_target=place.thing is not None and place.name in named,
        )
        for place in places[: fragment.MAX_LINES]
    ]
    return fragment.tree(shown, total=len(places))


def _named_in(action: str, names: Iterable[str]) -> set[str]:
    """The names that stand in an action as whole words; the longest where several fit."""
    longest_first = sorted(filter(None, names), key=len, reverse=True)
    options = "|".join(map(re.escape, longest_first))
    return set(re.findall(rf"(?<!\w)(?:{options})(?!\w)", action)) if options else set()


def _place_html(place: Place) -> str:
    if place.thing is None:
        note = "stands elsewhere in this tree" if place.is_known else "not in this state"
        return f'<code class="id">{text(place.name)} <em>{note}</em></code>'
    name = f'<span class="thing">{text(place.name)}</span>'
    kind = f'<span class="id">{text(place.thing["type"])}</span>'
    properties = pairs_html(place.thing["properties"])
    return f'<code>{name} {kind}</code> <code class="properties">{properties}</code>'


@dataclass(frozen=True)
class _Judge:
    """What is true of one row, and how right a prediction is."""

    before: State
    true: Changes
    undetermined: Counter[str]
    badge: str

    def truth(self) -> str:
        """What really happened."""
        table = _ItemTable(self.before, items_of(self.true))
        return table.html(fragment.true_lines(table.items, self.undetermined), self.badge)

    def answer(self, guess: Changes | None) -> str:
        """What a model predicted, judged item by item; stating what is so already is no item."""
        stated = None if guess is None else effective(guess, self.before)
        predicted, true = items_of(stated or Changes()), items_of(self.true)
        table = _ItemTable(self.before, {**true, **predicted})
        lines = fragment.judge(
            [*predicted], [*true], self.undetermined, place=lambda key: table.items[key].place
        )
        return fragment.note_of(stated) + table.html(lines, self.badge)


@dataclass(frozen=True)
class _ItemTable:
    """The items of one card, true ones first, and how their lines are written."""

    before: State
    items: Mapping[str, Item]

    def html(self, lines: Iterable[Line], badge: str) -> str:
        """The lines, each under the name of its object; objects in the order of the items."""
        groups: dict[int | None, list[Line]] = {item.uuid: [] for item in self.items.values()}
        for line in lines:
            groups[self._uuid(line)].append(line)
        ordered = [line for group in groups.values() for line in group]
        shown = groupby(ordered[: fragment.MAX_LINES], key=self._uuid)
        sections = [self._section(uuid, list(group), badge) for uuid, group in shown]
        body = f'<div class="groups">{"".join(sections)}</div>' if sections else ""
        return body + fragment.more(len(ordered))

    def _section(self, uuid: int | None, lines: list[Line], badge: str) -> str:
        kind = self.items[lines[0].item].kind
        heading = fragment.signed(_SIGNS[kind], self._name(uuid))
        return fragment.section(kind, heading, lines, fragment.ItemWriter(self._item, badge))

    @cached_property
    def _added(self) -> Mapping[int | None, list[Item]]:
        """The added objects, true and predicted, by uuid."""
        added = defaultdict(list)
        for item in self.items.values():
            if item.kind == "added":
                added[item.uuid].append(item)
        return added

    def _uuid(self, line: Line) -> int | None:
        return self.items[line.item].uuid

    def _item(self, key: str) -> str:
        item = self.items[key]
        rivals = [other.value for other in self._added.get(item.uuid, ()) if other is not item]
        return item_html(item, self.before, rival=rivals[0] if rivals else None)

    def _name(self, uuid: int | None) -> str:
        if uuid is None:
            return "Score"
        known = self.before.objects.get(uuid)
        named = [known] if known is not None else [item.value for item in self._added.get(uuid, ())]
        note = "" if named else " <em>not in this state</em>"
        name = named[0]["name"] if named else ""
        return f"<code>{text(name or f'object {uuid}')}{note}</code>"
