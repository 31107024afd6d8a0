"""Plays one action in one world many times, each time with other dice."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from worldtune.domains.text_game.games.dice import Dice, FixedDice
from worldtune.domains.text_game.games.game import Game
from worldtune.domains.text_game.games.world import World

NUM_DRAWS = 2000


def play_least(game: Game, world: World, action: str) -> tuple[World, str]:
    """The world after the action and the reasoning, where every draw gives its first outcome."""
    played = game.play(world, game.action(world, action), FixedDice("first"))
    assert played.num_draws > 0
    return played.after.world, " ".join(played.sentences)


def shares(
    game: Game, world: World, action: str, *, of: Callable[[World], Any]
) -> dict[Any, float]:
    """How often a fact about the world after the action comes true, 0 to 1, by chance."""
    chosen = game.action(world, action)
    counts = Counter(
        of(game.play(world, chosen, Dice("draw", str(number))).after.world)
        for number in range(NUM_DRAWS)
    )
    return {fact: count / NUM_DRAWS for fact, count in counts.items()}


def none_one_or_more(game: Game, world: World, action: str) -> list[float]:
    """The shares of plays in which no new object appears, one does, or several do."""
    found = shares(game, world, action, of=lambda after: min(2, after.next_uuid - world.next_uuid))
    return [found[number] for number in range(3)]
