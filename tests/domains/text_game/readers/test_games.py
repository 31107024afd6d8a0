from collections.abc import Iterator
from typing import Any

import pytest

from tests.domains.text_game.raw_rows import raw
from worldtune.config import GamesConfig, TextGameIngestConfig, TextGameSource
from worldtune.domains.text_game.readers import games, open_source
from worldtune.domains.text_game.runner import GameFailure
from worldtune.errors import ParameterError
from worldtune.ingestion.rows import RawRow, Unreadable

RUNS: list[str] = []


def fake_run(path: str, config: GamesConfig) -> Iterator[dict[str, Any] | GameFailure]:
    RUNS.append(path)
    yield raw()
    yield GameFailure("forge-key", "syntax", "f-string: expecting '}' (line 3)")


def test_rows_pass_on_and_faults_of_games_become_unreadable_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(games, "run_folder", fake_run)
    assert list(games.read("folder", GamesConfig())) == [
        RawRow(raw(), "lamp:7:gold:3"),
        Unreadable("game_failed", "syntax: f-string: expecting '}' (line 3)", "forge-key"),
    ]


@pytest.mark.parametrize("limit", [None, 5])
def test_games_are_run_once_also_with_a_limit(
    monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    monkeypatch.setattr(games, "run_folder", fake_run)
    RUNS.clear()
    source = TextGameSource(kind="games", path="folder")
    opened = open_source(TextGameIngestConfig(source=source, limit=limit))
    for _ in range(1 if limit is None else 2):
        assert len(list(opened.read())) == 2
    assert RUNS == ["folder"]


def test_nothing_runs_before_the_user_allows_it(tmp_path: Any) -> None:
    source = TextGameSource(kind="games", path=str(tmp_path))
    opened = open_source(TextGameIngestConfig(source=source))
    with pytest.raises(ParameterError, match="allow_running_code"):
        next(iter(opened.read()))
