"""Record one episode: read, act, read ... until the steps are used up or the page is done."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from worldtune.domains.web.recorder.actions import Action
from worldtune.domains.web.recorder.browser import Tab, TargetLostError, View
from worldtune.domains.web.recorder.hidden import vocabulary
from worldtune.domains.web.recorder.pages import Episode
from worldtune.domains.web.recorder.policy import Candidate, Situation, choose, local_address
from worldtune.domains.web.recorder.rows import Moment, Row, Transition, build_row
from worldtune.domains.web.recorder.snapshot import Page, number

OWN_STEPS = 12
MINIWOB_STEPS = 7


@dataclass
class _Memory:
    """What an episode has seen and done; ``depth`` counts the pages that go_back can reach."""

    previous_action: str = "None"
    depth: int = 0
    visited: set[str] = field(default_factory=set)
    used: set[int] = field(default_factory=set)
    surprising: set[int] = field(default_factory=set)
    tried: set[tuple[str, str]] = field(default_factory=set)

    def note(
        self, before: Moment, chosen: Candidate, after: Moment, *, is_new_document: bool
    ) -> None:
        """Remember a step that was taken, and whether it showed hidden content."""
        self.previous_action = str(chosen.action)
        self.tried.add((before.page.text, str(chosen.action)))
        if chosen.action.target is not None:
            self.used.add(chosen.action.target)
            self.surprising.discard(chosen.action.target)
            if _shows_hidden_content(before.page, after.page):
                self.surprising.add(chosen.action.target)
        if is_new_document:
            self.depth += -1 if chosen.action.kind == "go_back" else 1


def record_episode(tab: Tab, episode: Episode, *, browser: str) -> list[Row]:
    """Record all steps of ``episode``; the same episode gives the same rows on every run.

    ``browser`` is the name and version that the rows will bear.
    """
    tab.begin(episode.path)
    if episode.page_set == "miniwob":
        tab.start_miniwob(episode.seed)
    return [build_row(transition, browser=browser) for transition in _transitions(tab, episode)]


def _transitions(tab: Tab, episode: Episode) -> Iterator[Transition]:
    rng = random.Random(f"{episode.page_set}/{episode.task}/{episode.seed}")
    memory = _Memory()
    view = tab.read()
    before = _moment(
        view, number(view.elements, previous=None, is_same_document=False), objective=""
    )
    for step in range(OWN_STEPS if episode.page_set == "own" else MINIWOB_STEPS):
        memory.visited.add(before.url)
        if before.is_done or not before.is_stable:
            return
        chosen = choose(_situation(before, memory, episode), rng)
        if chosen is None:
            return
        try:
            tab.act(_with_seed(chosen.action, episode.seed), chosen.element)
        except TargetLostError:
            return
        view = tab.read()
        page = number(
            view.elements, previous=before.page, is_same_document=not view.is_new_document
        )
        after = _moment(view, page, objective=before.objective)
        # A page still moving when the time was up would be read differently on the next run.
        if after.is_stable:
            yield Transition(episode, step, memory.previous_action, before, chosen.action, after)
        memory.note(before, chosen, after, is_new_document=view.is_new_document)
        before = after


def _moment(view: View, page: Page, *, objective: str) -> Moment:
    return Moment(
        page=page,
        url=local_address(view.url),
        objective=view.objective or objective,
        is_done=view.is_done,
        is_stable=view.is_stable,
        reward=view.reward,
    )


def _shows_hidden_content(before: Page, after: Page) -> bool:
    pairs = zip(after.nodes, after.elements, strict=True)
    return any(
        node.id >= before.next_id and element.dom.is_hidden_content for node, element in pairs
    )


def _situation(moment: Moment, memory: _Memory, episode: Episode) -> Situation:
    return Situation(
        page=moment.page,
        url=moment.url,
        objective=moment.objective,
        visited=tuple(sorted(memory.visited)),
        can_go_back=memory.depth > 0,
        used=frozenset(memory.used),
        surprising=frozenset(memory.surprising),
        is_foreign=episode.page_set != "own",
        tried=frozenset(memory.tried),
        words=sorted(vocabulary()),
    )


def _with_seed(action: Action, seed: int) -> Action:
    """Put the seed back into the address of a goto: pages need it, rows do not show it."""
    if action.kind != "goto":
        return action
    return Action("goto", text=f"{action.text}{'&' if '?' in action.text else '?'}seed={seed}")
