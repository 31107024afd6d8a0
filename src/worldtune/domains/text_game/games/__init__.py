"""Text games of our own: a small engine and the games, one module each (see docs/text_games.md).

The engine: ``world`` (things), ``dice`` (chance), ``step`` (changes and their sentences), ``game``
(what a game declares, how a step is played), ``verbs`` (actions that games share), ``words``
(names), ``rules_text``, ``rollouts``, ``rows``, ``generate``. Every other module is a game.
"""

from importlib import import_module

from worldtune.domains.text_game.games.game import Game

GAMES = (
    "bakery",
    "circuit",
    "compost",
    "conveyor",
    "fishing",
    "forage",
    "freezer",
    "garden",
    "kettle",
    "laundry",
    "market",
    "mine",
    "oven",
    "paint",
    "postbox",
    "rooms",
    "scale",
    "smelter",
    "tank",
    "weather",
)
"""Every game is a module of this name beside this file, with a ``GAME`` inside."""


def get_game(name: str) -> Game:
    """The game of this name. Raises KeyError for an unknown one."""
    if name not in GAMES:
        raise KeyError(f"unknown game {name!r}; known: {', '.join(GAMES)}")
    game: Game = import_module(f"{__name__}.{name}").GAME
    return game
