"""Plays actions in a world that a test has built by hand."""

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Game
from worldtune.domains.text_game.games.world import Thing, World


def play(game: Game, world: World, *actions: str) -> tuple[World, str]:
    """The world after the actions, and the reasoning of the last one; chance must not decide."""
    reasoning = ""
    for text in actions:
        played = game.play(world, game.action(world, text), Dice("test"))
        assert played.num_draws == 0
        world, reasoning = played.after.world, " ".join(played.sentences)
    return world, reasoning


def facts(thing: Thing) -> tuple[str, str, dict[str, object], int]:
    """Name, kind and properties of a thing, and the uuid of what contains it."""
    assert thing.place is not None
    return thing.noun, thing.kind, dict(thing.properties), thing.place.uuid
