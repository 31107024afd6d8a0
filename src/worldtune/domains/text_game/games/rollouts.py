"""Plays that become rows: the gold actions, actions that leave the gold path, random actions.

Gold play alone would show each verb where it works. So from every moment of the gold play some
other valid actions are tried for one step (branches), and a player without a plan starts over
(random). Actions are picked by verb first, then among the things: verbs with many things do not
drown the others. Each step has dice of its own, made from game, seed, rollout and step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.game import Action, Game, Played
from worldtune.domains.text_game.games.world import Moment

MAX_GOLD_STEPS = 40


@dataclass(frozen=True)
class Transition:
    """One step of a play; ``step`` counts the steps before it."""

    game: Game
    seed: int
    rollout: str
    step: int
    before: Moment
    action: Action
    played: Played


def transitions(game: Game, seed: int, *, branches: int, random_steps: int) -> Iterator[Transition]:
    """All transitions of one layout.

    Args:
        game: the game.
        seed: which layout, and which chance.
        branches: other actions tried at each moment of the gold play.
        random_steps: most steps of the random play.
    """
    start = Moment(game.start(Dice("layout", game.name, str(seed))))
    for transition in gold_play(game, start, seed=seed):
        yield transition
        yield from _branches(transition, branches)
    yield from _random_play(game, start, seed=seed, num_steps=random_steps)


def gold_play(game: Game, moment: Moment, *, seed: int) -> Iterator[Transition]:
    """The gold actions until the game is over, MAX_GOLD_STEPS at most."""
    for step in range(MAX_GOLD_STEPS):
        if moment.world.score["gameOver"]:
            return
        action = game.action(moment.world, game.gold(moment.world))
        chance = Dice("gold", game.name, str(seed), str(step))
        played = game.play(moment.world, action, chance)
        yield Transition(game, seed, "gold", step, moment, action, played)
        moment = played.after


def _branches(gold: Transition, count: int) -> Iterator[Transition]:
    """Other actions than the gold one, each for one step from the same moment.

    An action left to chance may come again: what else could have happened is worth a row.
    """
    game, moment = gold.game, gold.before
    others = [action for action in game.actions(moment.world) if action.text != gold.action.text]
    dice = Dice("pick", game.name, str(gold.seed), "branch", str(gold.step))
    for number in range(count):
        if not others:
            return
        action = _pick(others, dice)
        chance = Dice("branch", game.name, str(gold.seed), str(gold.step), str(number))
        played = game.play(moment.world, action, chance)
        yield Transition(game, gold.seed, "branch", gold.step, moment, action, played)
        if played.num_draws == 0:
            others.remove(action)


def _random_play(game: Game, moment: Moment, *, seed: int, num_steps: int) -> Iterator[Transition]:
    dice = Dice("pick", game.name, str(seed), "random")
    for step in range(num_steps):
        if moment.world.score["gameOver"]:
            return
        action = _pick(game.actions(moment.world), dice)
        chance = Dice("random", game.name, str(seed), str(step))
        played = game.play(moment.world, action, chance)
        yield Transition(game, seed, "random", step, moment, action, played)
        moment = played.after


def _pick(actions: Sequence[Action], dice: Dice) -> Action:
    """One action: first a verb among those that have one, then an action of it."""
    weights = {action.verb.template: action.verb.weight for action in actions}
    verb = dice.weighted(list(weights.items()))
    return dice.choice([action for action in actions if action.verb.template == verb])
