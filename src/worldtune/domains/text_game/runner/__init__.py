"""Runs a user's own folder of BYTESIZED32 or GPT-simulator game files and yields its transitions.

The files are Python programs of somebody else, so nothing runs before the user says so
(``text_game.ingest.games.allow_running_code``). Each game gets a process of its own, with limits of
time and memory, without network and environment; ``child`` says what that keeps out and what not.
No game code comes with this package.
"""

from worldtune.domains.text_game.runner.failures import FailureKind, GameFailure
from worldtune.domains.text_game.runner.run import run_folder

__all__ = ["FailureKind", "GameFailure", "run_folder"]
