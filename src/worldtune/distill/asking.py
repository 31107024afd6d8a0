"""Ask the teacher many questions: a bounded number at a time, paced, repeated where that helps.

Everything runs in one thread, so that the ledger, the pace and the counts need no locks. A request
that fails for good is counted and left to the next run; a teacher that fails again and again stops
the run, with every answer so far in the ledger.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from worldtune.config import DistillConfig
from worldtune.distill.ledger import Ledger
from worldtune.distill.pace import Pace, backoff_s
from worldtune.distill.questions import Question
from worldtune.distill.replies import Reply, RequestFailed
from worldtune.distill.teacher import Teacher, TeacherError

logger = logging.getLogger(__name__)

Job = Sequence[Question]
"""Questions that are asked one after the other, until one is answered well enough."""

MAX_GIVEN_UP_IN_A_ROW = 10
LONGEST_PAUSE_S = 900.0
"""A teacher that asks for a longer pause ends the run; the next one goes on."""
_WORTH_A_LINE_S = 20.0


@dataclass
class Effort:
    """What asking took in this run: answers, and by kind repetitions and requests given up."""

    answered: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    given_up: Counter[str] = field(default_factory=Counter)


@dataclass
class Interview:
    """The questions of a run on their way to the teacher.

    is_enough: whether an answer ends its job. on_progress: called with the number of questions
    that are settled by each answer or failure.
    """

    teacher: Teacher
    ledger: Ledger
    config: DistillConfig
    is_enough: Callable[[Question, Reply], bool]
    on_progress: Callable[[int], None]
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        """Set the pace."""
        self._pace = Pace(self.config.requests_per_minute)
        self._given_up_in_a_row = 0

    async def ask_all(self, jobs: Iterable[Job]) -> None:
        """Ask every job. Raises TeacherError where asking on makes no sense."""
        waiting = iter(jobs)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.config.concurrency):
                    group.create_task(self._work(waiting))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await self.teacher.close()

    async def _work(self, waiting: Iterator[Job]) -> None:
        for job in waiting:
            for asked, question in enumerate(job):
                reply = await self._ask(question)
                if reply is not None and self.is_enough(question, reply):
                    self.on_progress(len(job) - asked)
                    break
                self.on_progress(1)

    async def _ask(self, question: Question) -> Reply | None:
        """The answer to a question, which is then in the ledger; None if it was given up."""
        for repetition in range(self.config.max_retries + 1):
            await self._pace.take_turn()
            try:
                reply = await self.teacher.ask(question.body)
            except RequestFailed as failure:
                if repetition == self.config.max_retries:
                    self._give_up(failure)
                    return None
                self.effort.retries[failure.kind] += 1
                await self._wait(failure, repetition)
                continue
            self.ledger.add(question.key, reply)
            self.effort.answered += 1
            self._given_up_in_a_row = 0
            return reply
        raise AssertionError("the last repetition returns")

    async def _wait(self, failure: RequestFailed, repetition: int) -> None:
        pause_s = failure.wait_s or 0.0
        if pause_s > LONGEST_PAUSE_S:
            raise TeacherError(
                f"{self.teacher.host} asks for a pause of {pause_s:.0f} s. Start the same command "
                "again then: it goes on from here"
            )
        if pause_s >= _WORTH_A_LINE_S:
            logger.info("%s asks for a pause of %.0f s", self.teacher.host, pause_s)
        self._pace.hold(pause_s)
        await asyncio.sleep(pause_s + backoff_s(repetition))

    def _give_up(self, failure: RequestFailed) -> None:
        self.effort.given_up[failure.kind] += 1
        self._given_up_in_a_row += 1
        if self._given_up_in_a_row >= MAX_GIVEN_UP_IN_A_ROW:
            kinds = ", ".join(f"{kind} {count}" for kind, count in self.effort.given_up.items())
            raise TeacherError(
                f"{self.teacher.host} failed {self._given_up_in_a_row} requests in a row, each "
                f"repeated {self.config.max_retries} times ({kinds}). What was answered is kept: "
                "start the same command again when the teacher is well, and it goes on"
            )
