"""Parameters of the text games of our own: how much is played, and which games are held out."""

from typing import Annotated

from pydantic import Field

from worldtune.config.base import Config, Count

Seeds = Annotated[int, Field(ge=0, le=1_000_000)]


class OwnGamesConfig(Config):
    """What the games of the package ``domains.text_game.games`` are asked for."""

    games: tuple[str, ...] = ()
    """Names of the games to play; empty plays all."""
    unseen_games: tuple[str, ...] = ()
    """Games that nothing is trained on: all their rows are test_unseen."""
    train_seeds: Seeds = 40
    """Training layouts of each game."""
    val_seeds: Seeds = 3
    """Validation layouts of each game."""
    test_seeds: Seeds = 5
    """Layouts of each game in test_iid."""
    unseen_seeds: Seeds = 8
    """Layouts of each held-out game."""
    branches: Count = 4
    """Other actions tried at each moment of the gold play."""
    random_steps: Count = 8
    """Most steps of the random play of a layout."""
