"""Record many episodes with a few worker processes, one browser each.

The rows do not depend on the number of workers.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from playwright.sync_api import sync_playwright

from worldtune.domains.web.recorder.browser import open_tab
from worldtune.domains.web.recorder.chromium import launch
from worldtune.domains.web.recorder.episodes import record_episode
from worldtune.domains.web.recorder.pages import Episode
from worldtune.domains.web.recorder.rows import Row
from worldtune.domains.web.recorder.server import serve

EPISODES_PER_TAB = 40
"""A tab is replaced now and then, so that neither its history nor its memory grows without end."""


@dataclass(frozen=True)
class _Shift:
    """Episodes that one tab records one after the other."""

    executable: str
    episodes: tuple[Episode, ...]


def record(
    episodes: Sequence[Episode],
    *,
    executable: str,
    num_workers: int,
    on_progress: Callable[[int, int], None],
) -> list[Row]:
    """Record ``episodes``; ``on_progress`` hears of the episodes done and the rows so far."""
    shifts = [
        _Shift(executable, tuple(episodes[start : start + EPISODES_PER_TAB]))
        for start in range(0, len(episodes), EPISODES_PER_TAB)
    ]
    rows: list[Row] = []
    num_done = 0
    for shift, recorded in _work(shifts, num_workers):
        rows += recorded
        num_done += len(shift.episodes)
        on_progress(num_done, len(rows))
    return rows


def _work(shifts: Sequence[_Shift], num_workers: int) -> Iterator[tuple[_Shift, list[Row]]]:
    if num_workers == 1:
        yield from map(record_shift, shifts)
        return
    # Playwright's driver does not survive a fork.
    with multiprocessing.get_context("spawn").Pool(num_workers) as pool:
        yield from pool.imap_unordered(record_shift, shifts)


def record_shift(shift: _Shift) -> tuple[_Shift, list[Row]]:
    """Record the episodes of one shift in a browser of its own."""
    rows: list[Row] = []
    with sync_playwright() as playwright, serve() as origin:
        browser = launch(playwright, executable=shift.executable)
        try:
            name = f"chromium {browser.version}"
            with open_tab(browser, origin=origin) as tab:
                for episode in shift.episodes:
                    rows += record_episode(tab, episode, browser=name)
        finally:
            browser.close()
    return shift, rows
