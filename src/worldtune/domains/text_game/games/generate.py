"""All rows that a configuration asks for: which layouts of which games belong to which split.

A held-out game is ``test_unseen`` as a whole. Of the others the seed decides; the seeds of
validation and test start at numbers of their own, so that more training layouts leave them as they
are.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from worldtune.config.own_games import OwnGamesConfig
from worldtune.domains.text_game.games import GAMES, get_game
from worldtune.domains.text_game.games.rows import rows
from worldtune.errors import ParameterError

TRAIN_START = 0
VAL_START = 1_000_000
TEST_START = 2_000_000


def generate(config: OwnGamesConfig) -> Iterator[dict[str, Any]]:
    """The rows of our own games, split by split, game by game, seed by seed.

    Raises:
        ParameterError: a name in ``games`` or ``unseen_games`` is no game.
    """
    unseen = _known("unseen_games", config.unseen_games)
    chosen = _known("games", config.games) or list(GAMES)
    seen = [name for name in chosen if name not in unseen]
    yield from _rows(config, seen, split="train", start=TRAIN_START, count=config.train_seeds)
    yield from _rows(config, seen, split="val", start=VAL_START, count=config.val_seeds)
    yield from _rows(config, seen, split="test_iid", start=TEST_START, count=config.test_seeds)
    held_out = [name for name in chosen if name in unseen]
    unseen_seeds = config.unseen_seeds
    yield from _rows(config, held_out, split="test_unseen", start=TEST_START, count=unseen_seeds)


def _known(key: str, names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in GAMES:
            raise ParameterError(
                f"text_game.ingest.own.{key}: {name!r} is no game; known: {', '.join(GAMES)}"
            )
    return list(names)


def _rows(
    config: OwnGamesConfig, names: Sequence[str], *, split: str, start: int, count: int
) -> Iterator[dict[str, Any]]:
    for name in names:
        game = get_game(name)
        for seed in range(start, start + count):
            yield from rows(
                game,
                seed,
                split=split,
                branches=config.branches,
                random_steps=config.random_steps,
            )
