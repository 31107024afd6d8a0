from collections import Counter

import pytest

from worldtune.domains.web.recorder.pages import (
    HELD_OUT_FAMILIES,
    HELD_OUT_SITES,
    MINIWOB_FAMILIES,
    Episode,
    miniwob_episodes,
    own_episodes,
    own_sites,
)
from worldtune.domains.web.recorder.server import SITES


def test_there_are_at_least_twelve_mini_sites_and_the_held_out_ones_exist() -> None:
    assert len(own_sites()) >= 12
    assert set(own_sites()) >= HELD_OUT_SITES
    assert len(HELD_OUT_SITES) == 2


def test_four_miniwob_families_are_held_out() -> None:
    assert len(HELD_OUT_FAMILIES) == 4
    assert set(MINIWOB_FAMILIES) >= HELD_OUT_FAMILIES


def test_seeds_are_divided_into_76_8_and_16_percent() -> None:
    splits = Counter(episode.split for episode in own_episodes(["cart"], range(100)))
    assert splits == {"train": 76, "val": 8, "test_iid": 16}


@pytest.mark.parametrize(("page_set", "site"), [("own", "poll"), ("miniwob", "email-inbox")])
def test_held_out_families_are_test_unseen_whatever_the_seed(page_set: str, site: str) -> None:
    assert {Episode(page_set, site, site, seed).split for seed in range(30)} == {"test_unseen"}  # type: ignore[arg-type]


def test_variants_of_a_task_stay_in_one_family() -> None:
    episodes = [
        episode for episode in miniwob_episodes(range(1)) if episode.task.startswith("email-inbox")
    ]
    assert len(episodes) > 1
    assert {episode.split for episode in episodes} == {"test_unseen"}


def test_no_site_loads_anything_from_outside() -> None:
    for page in SITES.rglob("*"):
        if page.suffix in (".html", ".js"):
            assert "://" not in page.read_text("utf-8"), page
