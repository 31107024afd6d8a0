import pytest

from tests.domains.text_game.runner.foreign_games import PHASED, PLAIN, write_game
from worldtune.domains.text_game.runner.folder import find_games, parse_playthrough
from worldtune.ingestion.rows import SourceError


def names(path) -> list[str]:
    return [game.name for game in find_games(path)]


def test_a_clone_of_gpt_simulator_is_found_with_its_playthroughs(tmp_path):
    write_game(tmp_path / "data/games", "kettle", PHASED)
    write_game(tmp_path / "data/playthroughs", "kettle", "", gold="switch on")
    (tmp_path / "data/playthroughs/kettle.py").unlink()
    (tmp_path / "data/get_states.py").write_text("import this", encoding="utf-8")
    (game,) = find_games(tmp_path)
    assert (game.name, game.gold) == ("kettle", ("switch on",))
    assert find_games(tmp_path / "data/games") == [game]
    assert find_games(tmp_path / "data/games/kettle.py") == [game]


def test_a_clone_of_bytesized32_is_found(tmp_path):
    write_game(tmp_path / "data/programs", "mint", PLAIN)
    (tmp_path / "data/playthroughs").mkdir()
    (tmp_path / "data/playthroughs/mint-playthrough.txt").write_text("> look\n", encoding="utf-8")
    (game,) = find_games(str(tmp_path))
    assert (game.name, game.gold) == ("mint", ("look",))


def test_games_with_phases_are_preferred(tmp_path):
    write_game(tmp_path / "data/programs", "mint", PLAIN)
    write_game(tmp_path / "data/games", "kettle", PHASED)
    write_game(tmp_path, "other", PLAIN)
    assert names(tmp_path) == ["kettle"]


def test_a_plain_folder_gives_its_game_files_by_name(tmp_path):
    write_game(tmp_path, "b", PLAIN, gold="look")
    write_game(tmp_path, "a", PHASED)
    (tmp_path / "notes.py").write_text("# class TextGame is what we want\n", encoding="utf-8")
    assert [(game.name, game.gold) for game in find_games(tmp_path)] == [
        ("a", None),
        ("b", ("look",)),
    ]


def test_actions_of_a_playthrough_follow_an_angle_bracket():
    text = "Task: x\n\n> help\n>\n> look \nObservation: > no\n  > no\n>put a in b\n"
    assert parse_playthrough(text) == ("look", "put a in b")


def test_a_folder_without_games_says_what_was_looked_for(tmp_path):
    (tmp_path / "setup.py").write_text("", encoding="utf-8")
    with pytest.raises(SourceError) as error:
        find_games(tmp_path)
    message = str(error.value)
    assert "text_game.ingest.source.path" in message
    for part in ("data/games/*.py", "data/programs/*.py", "<game>-playthrough.txt", "setup.py"):
        assert part in message


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        find_games(tmp_path / "nowhere")


def test_a_huge_file_is_not_read(tmp_path):
    (tmp_path / "huge.py").write_bytes(b"#" * 4_000_001)
    with pytest.raises(SourceError, match="4,000,001 bytes"):
        find_games(tmp_path)
