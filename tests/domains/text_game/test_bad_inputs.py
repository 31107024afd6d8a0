"""The bad inputs of docs/text_game_data.md: each gets the message that the page shows for it."""

from pathlib import Path

import pytest

from tests.domains.text_game.bad_rows import BAD
from tests.domains.text_game.raw_rows import lines, simulator_row, thuml_row
from tests.domains.text_game.runner.foreign_games import settings, trying, write_game
from worldtune.config import OwnGamesConfig, TextGameIngestConfig, TextGameSource
from worldtune.domains.text_game.checks import REASONS
from worldtune.domains.text_game.data import ingest
from worldtune.errors import UserError

DOCUMENT = (Path(__file__).parents[3] / "docs/text_game_data.md").read_text(encoding="utf-8")


def config(kind: str, path: Path, **more: object) -> TextGameIngestConfig:
    source = TextGameSource(kind=kind, path=str(path))
    limits = {"max_bad_fraction": 1.0, "max_unchanged_fraction": 1.0}
    return TextGameIngestConfig(source=source, **limits, **more)


def documented(given: str, reason: str, message: str) -> str:
    """A row of the table of bad inputs as it should stand in the page."""
    return f"| `{reason}` | {given} | `` {message} `` |"


def of_a_clone(folder: Path) -> list[str]:
    good = lines(*map(simulator_row, range(20)))
    bad = b"".join(line.rstrip(b"\n") + b"\n" for _, line in BAD.values())
    (folder / "train.jsonl").write_bytes(good + bad)
    quarantine = ingest(config("gpt_simulator", folder / "train.jsonl"), 0).quarantine
    assert len(quarantine) == len(BAD)
    rows = zip(BAD, quarantine["reason"], quarantine["message"], strict=True)
    return [documented(*row) for row in rows]


def of_taught_text(folder: Path) -> str:
    good = lines(*map(thuml_row, range(20)))
    (folder / "cot.jsonl").write_bytes(good + lines(thuml_row(20, truth="It gets warm.")))
    quarantine = ingest(config("thuml_cot", folder / "cot.jsonl"), 0).quarantine
    (reason,), (message,) = quarantine["reason"], quarantine["message"]
    return documented("a taught text without an answer", reason, message)


def of_a_game(folder: Path) -> str:
    write_game(folder / "games", "stove", trying("return 1 / 0"), gold="wait\ntry")
    run = settings(rollouts=["gold"])
    quarantine = ingest(config("games", folder / "games", games=run), 0).quarantine
    (reason,), (message,) = quarantine["reason"], quarantine["message"]
    return documented("a game that raises", reason, message)


def test_every_bad_input_is_documented_with_the_message_it_gets(tmp_path: Path) -> None:
    rows = [*of_a_clone(tmp_path), of_taught_text(tmp_path), of_a_game(tmp_path)]
    missing = [row for row in rows if row not in DOCUMENT]
    assert not missing, "put these rows into docs/text_game_data.md:\n" + "\n".join(rows)
    assert {row.split("`")[1] for row in rows} == set(REASONS)


PLAYED = OwnGamesConfig(games=("garden", "kettle"), train_seeds=1, val_seeds=1, test_seeds=1)


@pytest.mark.parametrize(
    ("kind", "path", "more"),
    [
        ("gpt_simulator", "downloads", {}),
        ("games", "downloads", {}),
        ("own", "", {"held_out_games": ("kettel",), "own": PLAYED}),
    ],
)
def test_the_documented_refusals_are_what_a_user_sees(
    kind: str, path: str, more: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "notes.txt").touch()
    source = TextGameSource(kind=kind, path=path)
    with pytest.raises(UserError) as caught:
        ingest(TextGameIngestConfig(source=source, **more), 0)
    assert str(caught.value) in " ".join(DOCUMENT.split()), str(caught.value)
