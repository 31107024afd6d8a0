"""Runs the games of a folder, a few at a time, and yields rows and failures game by game."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from worldtune.config.games import GamesConfig
from worldtune.domains.text_game.runner.failures import GameFailure
from worldtune.domains.text_game.runner.folder import GameFile, find_games, playthrough_name
from worldtune.domains.text_game.runner.process import KEY, RunningGame, start_game
from worldtune.domains.text_game.runner.results import RawRow
from worldtune.errors import ParameterError


def run_folder(path: str | Path, config: GamesConfig) -> Iterator[RawRow | GameFailure]:
    """Run the game files of ``path`` and yield their transitions, sorted by game.

    A row is a raw row of the domain. A game that fails (syntax, crash, time, memory) gives the rows
    that it had until then and one GameFailure per distinct fault; the others go on. The rows depend
    on the files and the configuration alone, not on ``config.parallel``.

    Args:
        path: a clone of GPT-simulator or BYTESIZED32, a folder of game files, or one such file.
        config: how to play; nothing runs unless ``allow_running_code`` is set.

    Raises:
        ParameterError: running code is not allowed.
        SourceError: there is no game file.
    """
    if not config.allow_running_code:
        raise ParameterError(
            f"{KEY}.allow_running_code is false, so no game file was run. Game files are Python "
            "programs of somebody else; to get their transitions they must be run on this machine "
            "with your rights. Each runs in a process of its own without network, environment and "
            "leave to write files, which stops accidents but no determined attacker. Look through "
            f"{path}, then set {KEY}.allow_running_code to true."
        )
    return _run(find_games(path), config)


def _run(games: Sequence[GameFile], config: GamesConfig) -> Iterator[RawRow | GameFailure]:
    waiting = deque(games)
    running: deque[RunningGame] = deque()
    try:
        while waiting or running:
            while waiting and len(running) < config.parallel:
                running.append(start_game(waiting.popleft(), config))
            oldest = running[0]
            yield from _missing_playthrough(oldest.game, config)
            yield from oldest.finish()
            running.popleft().kill()
    finally:
        for game in running:
            game.kill()


def _missing_playthrough(game: GameFile, config: GamesConfig) -> Iterator[GameFailure]:
    wanted = [rollout for rollout in config.rollouts if rollout != "random"]
    if wanted and not game.gold:
        found = "no playthrough" if game.gold is None else "a playthrough without actions"
        yield GameFailure(
            game.name,
            "protocol",
            f"{found} ({playthrough_name(game.name)}), so there are no {' and '.join(wanted)} rows",
        )
