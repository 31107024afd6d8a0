"""The page about text games is true: its example is a game, its table names every game."""

import importlib.util
import re
from pathlib import Path

from tests.processes import PROJECT
from worldtune.domains.text_game.games import GAMES, get_game
from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game
from worldtune.domains.text_game.games.rollouts import gold_play
from worldtune.domains.text_game.games.rows import rows
from worldtune.domains.text_game.games.rules_text import rules_text
from worldtune.domains.text_game.games.world import Moment

PAGE = (PROJECT / "docs" / "text_games.md").read_text()


def example(folder: Path) -> Game:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    path = folder / "candle.py"
    path.write_text(code[1])
    spec = importlib.util.spec_from_file_location("candle", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.GAME


def test_the_example_is_a_game_that_can_be_won(tmp_path: Path) -> None:
    game = example(tmp_path)
    for seed in range(10):
        start = Moment(game.start(Dice("layout", game.name, str(seed))))
        assert list(gold_play(game, start, seed=seed))[-1].played.after.world.score["gameWon"]
        played = list(rows(game, seed, split="train", branches=4, random_steps=4))
        changed = sum(row["objects"] != row["next_objects"] for row in played)
        assert changed > 0.35 * len(played)


def test_the_table_names_every_game_and_where_chance_decides() -> None:
    lines = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", PAGE, re.MULTILINE))
    assert tuple(lines) == GAMES
    for name, chance in lines.items():
        assert bool(chance.strip()) == ("random" in rules_text(get_game(name)))
