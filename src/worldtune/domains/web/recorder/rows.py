"""One transition as the table stores it."""

import hashlib
from dataclasses import dataclass

from worldtune.domains.web.recorder.actions import Action
from worldtune.domains.web.recorder.hidden import given_by, hidden_lines
from worldtune.domains.web.recorder.pages import Episode
from worldtune.domains.web.recorder.snapshot import Page
from worldtune.domains.web.tree import diff

RECORDER = "worldtune-recorder 1"
LICENCES = {"own": "Apache-2.0", "miniwob": "MIT (MiniWoB++)"}
CHARS_PER_TOKEN = 4


@dataclass(frozen=True)
class Row:
    """A transition: the columns of the shipped table, in their order; ``card.md`` explains them."""

    row_id: str
    source: str
    page_set: str
    site: str
    task: str
    seed: int
    step: int
    url: str
    objective: str
    previous_action: str
    observation: str
    action: str
    next_id: int
    next_observation: str
    new_items: tuple[str, ...]
    deleted_items: tuple[str, ...]
    updated_items: tuple[str, ...]
    hidden_items: tuple[str, ...]
    changed: bool
    structural: bool
    focus_only: bool
    predictable: bool
    stable: bool
    done: bool
    reward: float
    obs_tokens_est: int
    diff_tokens_est: int
    split: str
    recorder: str
    browser: str
    licence: str


@dataclass(frozen=True)
class Moment:
    """A page at a moment of an episode; ``url`` as rows write it; ``reward`` is the page's own."""

    page: Page
    url: str
    objective: str
    is_done: bool = False
    is_stable: bool = True
    reward: float = 0.0


@dataclass(frozen=True)
class Transition:
    """What happened at one step."""

    episode: Episode
    step: int
    previous_action: str
    before: Moment
    action: Action
    after: Moment


def build_row(transition: Transition, *, browser: str) -> Row:
    """Turn a transition into its row; ``browser`` is the name and version that showed the pages."""
    episode, before, after = transition.episode, transition.before, transition.after
    action = str(transition.action)
    changes = diff(before.page.nodes, after.page.nodes)
    given = given_by(before.page, before.objective, before.url, action)
    own_site = episode.site if episode.page_set == "own" else None
    hidden = hidden_lines(after.page, changes, given, own_site=own_site)
    changed_text = "\n".join((*changes.new, *changes.deleted, *changes.updated))
    return Row(
        row_id=_row_id(episode, transition.step, before.page.text, action),
        source=episode.page_set,
        page_set=episode.page_set,
        site=episode.site,
        task=episode.task,
        seed=episode.seed,
        step=transition.step,
        url=before.url,
        objective=before.objective,
        previous_action=transition.previous_action,
        observation=before.page.text,
        action=action,
        next_id=before.page.next_id,
        next_observation=after.page.text,
        new_items=changes.new,
        deleted_items=changes.deleted,
        updated_items=changes.updated,
        hidden_items=tuple(hidden),
        changed=not changes.is_empty,
        structural=bool(changes.new or changes.deleted),
        focus_only=changes.is_empty and before.page.focused_id != after.page.focused_id,
        predictable=not hidden,
        stable=after.is_stable,
        done=after.is_done,
        reward=after.reward,
        obs_tokens_est=len(before.page.text) // CHARS_PER_TOKEN,
        diff_tokens_est=len(changed_text) // CHARS_PER_TOKEN,
        split=episode.split,
        recorder=RECORDER,
        browser=browser,
        licence=LICENCES[episode.page_set],
    )


def _row_id(episode: Episode, step: int, observation: str, action: str) -> str:
    parts = (
        episode.page_set,
        episode.site,
        episode.task,
        str(episode.seed),
        str(step),
        observation,
        action,
    )
    return hashlib.sha1("\x1f".join(parts).encode(), usedforsecurity=False).hexdigest()[:16]
