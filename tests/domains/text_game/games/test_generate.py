import hashlib
import os
import subprocess
import sys

import pytest

from tests.processes import PROJECT
from worldtune.config.own_games import OwnGamesConfig
from worldtune.domains.text_game.games import GAMES
from worldtune.domains.text_game.games.generate import generate
from worldtune.errors import ParameterError

SMALL = OwnGamesConfig(
    unseen_games=("freezer",), train_seeds=2, val_seeds=1, test_seeds=1, unseen_seeds=1
)
DIGEST = """
import hashlib
from tests.domains.text_game.games.test_generate import digest
print(digest())
"""


def digest() -> str:
    """sha256 of everything that a small configuration generates, keys in their order."""
    hashed = hashlib.sha256()
    for row in generate(SMALL):
        hashed.update(repr(row).encode())
    return hashed.hexdigest()


def test_another_process_with_another_hash_seed_generates_the_same_bytes() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    other = subprocess.run(
        [sys.executable, "-c", DIGEST],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == digest()


def test_splits_share_no_layout_and_the_unseen_game_is_only_tested() -> None:
    layouts: dict[str, set[tuple[str, int]]] = {}
    for row in generate(SMALL):
        layouts.setdefault(row["split"], set()).add((row["game"], row["seed"]))
    assert list(layouts) == ["train", "val", "test_iid", "test_unseen"]
    assert {game for game, _ in layouts["test_unseen"]} == {"freezer"}
    seen = layouts["train"] | layouts["val"] | layouts["test_iid"]
    assert {game for game, _ in seen} == set(GAMES) - {"freezer"}
    assert len(layouts["train"]) == 2 * (len(GAMES) - 1)
    assert not layouts["train"] & layouts["val"]
    assert not (layouts["train"] | layouts["val"]) & layouts["test_iid"]


def test_more_training_layouts_leave_the_test_as_it_is() -> None:
    more = SMALL.model_copy(update={"train_seeds": 3, "games": ("kettle",)})
    less = more.model_copy(update={"train_seeds": 0})
    assert [row for row in generate(more) if row["split"] != "train"] == list(generate(less))


def test_only_the_named_games_are_played() -> None:
    config = SMALL.model_copy(update={"games": ("kettle", "freezer")})
    assert {row["game"] for row in generate(config)} == {"kettle", "freezer"}


@pytest.mark.parametrize("key", ["games", "unseen_games"])
def test_an_unknown_game_is_an_error_that_names_the_key_and_the_games(key: str) -> None:
    config = OwnGamesConfig.model_validate({key: ("chess",)})
    with pytest.raises(ParameterError, match=rf"text_game\.ingest\.own\.{key}: 'chess'.*kettle"):
        next(iter(generate(config)))
