"""The episodes of a game: its playthrough, other actions along it, and random play.

Playthroughs were recorded with the seed in the game's file, so they are played with that one. A
game that raises ends the episode (or the branch), not the run: the rest is played.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .output import FullError, Output, Tail
from .program import Program
from .session import Session

DOUBLE = "look around"
"""In these games the same action as ``look``; left out, as GPT-simulator does."""


@dataclass(frozen=True)
class Job:
    """What to play; the fields of GamesConfig. gold: the actions of the playthrough."""

    game: str
    gold: Sequence[str]
    rollouts: Sequence[str]
    seeds: Sequence[int]
    steps_per_episode: int
    branch_actions: int | None
    max_depth: int


@dataclass(frozen=True)
class Outcome:
    """What a step from a prefix gave: a row or, if the game raised, an error."""

    row: dict[str, Any] | None = None
    error: BaseException = field(default_factory=Exception)
    printed: str = ""

    def agrees_with(self, other: "Outcome") -> bool:
        """Whether both gave the same row, or the same kind of error."""
        return self.row == other.row and type(self.error) is type(other.error)


class Player:
    """Plays the episodes of one job. printed: what the game prints."""

    def __init__(self, job: Job, program: Program, output: Output, printed: Tail) -> None:
        self._job = job
        self._program = program
        self._output = output
        self._printed = printed
        self._copies_agree = True
        self._place = ""

    def play(self) -> None:
        """Write the rows of all episodes. Raises MemoryError and FullError, which end the game."""
        if {"gold", "branch"} & set(self._job.rollouts) and self._job.gold:
            self._guarded("gold", self._program.own_seed, self._play_gold)
        if "random" in self._job.rollouts:
            for seed in self._job.seeds:
                self._guarded("random", seed, self._play_random)

    def _guarded(self, rollout: str, seed: int, episode: Callable[[Session], None]) -> None:
        """Play an episode; what the game raises becomes a fault of it."""
        self._place = f"{rollout}, seed {seed}"
        self._printed.text = ""
        try:
            episode(Session(self._program, seed))
        except (MemoryError, FullError):
            raise
        except BaseException as error:  # SystemExit, too: whatever the game comes up with
            self._output.fault(error, self._place, printed=self._printed.text)

    def _play_gold(self, session: Session) -> None:
        job = self._job
        num_actions = len(job.gold) if "gold" in job.rollouts else job.max_depth
        for depth, action in enumerate(job.gold[:num_actions]):
            actions = session.actions()
            if "branch" in job.rollouts and depth < job.max_depth:
                session = self._branch(session, depth, actions)
            self._place = _place("gold", session, depth, action)
            row = session.step(action)
            if "gold" in job.rollouts:
                self._write(row, session, rollout="gold", step=depth)

    def _branch(self, session: Session, depth: int, actions: list[str]) -> Session:
        """Try other actions than the next one of the playthrough, each from the same state.

        Returns the session to go on with: the same, or its like where branching has changed it.
        """
        others = [action for action in actions if action not in {self._job.gold[depth], DOUBLE}]
        generator = random.Random(f"{self._job.game} {depth}")
        chosen = sample_actions(others, self._job.branch_actions, generator)
        outcomes = self._step_copies(session, depth, chosen) if self._copies_agree else None
        if outcomes is None:
            outcomes = [self._step_replayed(session, depth, action) for action in chosen]
            session = self._replayed(session.seed, depth)
        for action, outcome in zip(chosen, outcomes, strict=True):
            if outcome.row is not None:
                self._write(outcome.row, session, rollout="branch", step=depth)
            else:
                place = _place("branch", session, depth, action)
                self._output.fault(outcome.error, place, printed=outcome.printed)
        return session

    def _step_copies(
        self, session: Session, depth: int, actions: list[str]
    ) -> list[Outcome] | None:
        """One step of a copy per action; None if copies do not do, now and later.

        Copying is fast but does not reach state outside of the game and its module's variables (in
        a default argument, say), which one branch then leaves to the next. So the last branch of
        every prefix must end as it does when the prefix is played from the start.
        """
        outcomes = [self._caught(partial(session.step_aside, action)) for action in actions]
        if actions:
            expected = self._step_replayed(session, depth, actions[-1])
            self._copies_agree = outcomes[-1].agrees_with(expected)
        return outcomes if self._copies_agree else None

    def _step_replayed(self, session: Session, depth: int, action: str) -> Outcome:
        return self._caught(lambda: self._replayed(session.seed, depth).step(action))

    def _replayed(self, seed: int, depth: int) -> Session:
        """A session of its own that has played a prefix of the playthrough."""
        session = Session(self._program, seed)
        session.actions()
        for action in self._job.gold[:depth]:
            session.advance(action)
            session.actions()
        return session

    def _caught(self, step: Callable[[], dict[str, Any]]) -> Outcome:
        self._printed.text = ""
        try:
            return Outcome(row=step())
        except (MemoryError, FullError):
            raise
        except BaseException as error:  # as in an episode
            return Outcome(error=error, printed=self._printed.text)

    def _play_random(self, session: Session) -> None:
        generator = random.Random(f"{self._job.game} {session.seed}")
        for step in range(self._job.steps_per_episode):
            actions = [action for action in session.actions() if action != DOUBLE]
            if session.is_over or not actions:
                return
            action = sample_actions(actions, 1, generator)[0]
            self._place = _place("random", session, step, action)
            self._write(session.step(action), session, rollout="random", step=step)

    def _write(self, row: dict[str, Any], session: Session, *, rollout: str, step: int) -> None:
        place = {"seed": session.seed, "step": step, "rollout": rollout}
        self._output.row({**place, "task_desc": session.task_desc, **row})


def _place(rollout: str, session: Session, step: int, action: str) -> str:
    return f"{rollout}, seed {session.seed}, step {step}, action {action[:60]!r}"


def sample_actions(
    actions: Sequence[str], count: int | None, generator: random.Random
) -> list[str]:
    """Draw different actions: first a verb (the first word), then one of its actions.

    Games list up to thousands of actions, nearly all of a few verbs with two arguments. None takes
    all, in their order.
    """
    if count is None or count >= len(actions):
        return list(actions)
    verbs: dict[str, list[str]] = {}
    for action in actions:
        verbs.setdefault(action.split()[0], []).append(action)
    chosen = []
    for _ in range(count):
        verb = generator.choice(list(verbs))
        chosen.append(verbs[verb].pop(generator.randrange(len(verbs[verb]))))
        if not verbs[verb]:
            del verbs[verb]
    return chosen
