"""Parameters of the runner of a user's own game files."""

from typing import Annotated, Literal

from pydantic import Field

from worldtune.config.base import Config, Count, PositiveFloat, PositiveInt

Rollout = Literal["gold", "random", "branch"]


class GamesConfig(Config):
    """How the game files of a folder are run; for source.kind games."""

    allow_running_code: bool = False
    """A game file is a Python program of somebody else. true runs it, with your rights, in a
    process that is fenced in but no prison: look through the files first."""
    rollouts: Annotated[tuple[Rollout, ...], Field(min_length=1)] = ("gold", "random", "branch")
    """gold: the game's playthrough, with the game's own seed. random: valid actions at random.
    branch: other valid actions after each prefix of the playthrough."""
    seeds: PositiveInt | tuple[Count, ...] = 10
    """random: the seeds to play, one episode each; a number n stands for 0 to n - 1."""
    steps_per_episode: PositiveInt = 30
    """random: an episode ends after so many steps, or when the game is over."""
    branch_actions: PositiveInt | None = 8
    """branch: actions tried after a prefix, spread evenly over the verbs; None tries all."""
    max_depth: PositiveInt = 25
    """branch: prefixes of the playthrough are shorter than this."""
    time_limit_s: PositiveFloat = 300.0
    """A game that runs for longer is stopped; the rows that it gave until then are kept."""
    memory_limit_mb: Annotated[int, Field(ge=128)] = 1024
    """Address space of a game's process."""
    parallel: PositiveInt = 1
    """Games that run at the same time. The rows do not depend on it."""
