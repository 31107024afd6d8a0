"""The recorder against a real Chromium."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from worldtune.domains.web.recorder.chromium import ChromiumMissingError, find_chromium, launch
from worldtune.domains.web.recorder.manifest import TABLE
from worldtune.domains.web.recorder.pages import Episode
from worldtune.domains.web.recorder.recording import select_rows, write_parquet
from worldtune.domains.web.recorder.rows import Row
from worldtune.domains.web.recorder.server import find_miniwob, serve
from worldtune.domains.web.tree import parse_line

pytestmark = pytest.mark.browser

OWN = tuple(
    Episode("own", site, site, seed)
    for site, seed in (("cart", 0), ("search", 6), ("poll", 2), ("wizard", 3))
)
MINIWOB = (
    Episode("miniwob", "login-user", "login-user", 0),
    Episode("miniwob", "choose-list", "choose-list", 1),
)


def executable() -> str:
    pytest.importorskip(
        "playwright", reason="playwright is not installed (pip install 'worldtune[recorder]')"
    )
    try:
        return find_chromium()
    except ChromiumMissingError as error:
        pytest.skip(f"NO BROWSER TEST RUNS: {error}")


def record(episodes: tuple[Episode, ...], num_workers: int) -> list[Row]:
    program = executable()
    from worldtune.domains.web.recorder.crew import record as record_all  # noqa: PLC0415

    return record_all(
        episodes, executable=program, num_workers=num_workers, on_progress=lambda *_: None
    )


@pytest.fixture(scope="module")
def own_rows() -> list[Row]:
    return record(OWN, 1)


def as_shipped(
    rows: list[Row], shipped: pd.DataFrame
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The shipped rows of the recorded episodes and the same ones recorded now, without browser."""
    keys = {(row.page_set, row.task, row.seed) for row in rows}
    chosen = shipped[
        [key in keys for key in zip(shipped.page_set, shipped.task, shipped.seed, strict=True)]
    ]
    expected = [
        {
            name: tuple(value) if name.endswith("_items") else value
            for name, value in row.items()
            if name != "browser"
        }
        for row in chosen.to_dict("records")
    ]
    expected.sort(key=lambda row: str(row["row_id"]))
    ids = {row["row_id"] for row in expected}
    found = [
        {name: value for name, value in asdict(row).items() if name != "browser"}
        for row in sorted(rows, key=lambda row: row.row_id)
        if row.row_id in ids
    ]
    return expected, found


def test_recording_the_mini_sites_again_gives_the_rows_that_ship(
    own_rows: list[Row], project: Path
) -> None:
    expected, found = as_shipped(own_rows, pd.read_parquet(project / "data/01_raw/web" / TABLE))
    assert len(expected) > 30
    assert found == expected


def test_recording_miniwob_again_gives_the_rows_that_ship(project: Path) -> None:
    if find_miniwob() is None:
        pytest.skip("the miniwob wheel is not installed (pip install 'worldtune[recorder]')")
    expected, found = as_shipped(
        record(MINIWOB, 1), pd.read_parquet(project / "data/01_raw/web" / TABLE)
    )
    assert len(expected) >= 3
    assert found == expected


def test_two_runs_give_the_same_file_whatever_the_number_of_workers(
    own_rows: list[Row], tmp_path: Path
) -> None:
    again = record(OWN, 2)
    first = write_parquet(select_rows(own_rows), tmp_path / "one.parquet")
    assert write_parquet(select_rows(again), tmp_path / "two.parquet") == first


def test_new_elements_get_the_next_ids(own_rows: list[Row]) -> None:
    assert any(row.new_items for row in own_rows)
    for row in own_rows:
        new = [parse_line(line).id for line in row.new_items]
        assert new == list(range(row.next_id, row.next_id + len(new)))


def test_search_results_are_marked_as_hidden_and_a_pressed_filter_is_not(
    own_rows: list[Row],
) -> None:
    search = [row for row in own_rows if row.site == "search"]
    assert any(row.hidden_items for row in search)
    assert any(row.changed and row.predictable for row in search)


@pytest.fixture
def page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of pages served instead of the mini-sites."""
    monkeypatch.setattr("worldtune.domains.web.recorder.server.SITES", tmp_path)
    yield tmp_path


def test_a_page_that_asks_for_the_outside_stops_the_recording(page_folder: Path) -> None:
    program = executable()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    from worldtune.domains.web.recorder.browser import ForeignRequestError, open_tab  # noqa: PLC0415

    (page_folder / "index.html").write_text("<title>t</title><img src='http://192.0.2.1/x.png'>")
    with sync_playwright() as playwright, serve() as origin:
        browser = launch(playwright, executable=program)
        with (
            open_tab(browser, origin=origin) as tab,
            pytest.raises(ForeignRequestError, match=r"192\.0\.2\.1"),
        ):
            tab.begin("/index.html")
            tab.read()
        browser.close()
