"""The whole distillation of a domain: rows in, demonstrations, a training set and a report out."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from worldtune.config import Config, DistillConfig
from worldtune.contracts import Domain
from worldtune.distill.asking import Interview, Job
from worldtune.distill.judging import Form, Verdict, find_form, judge
from worldtune.distill.ledger import Ledger
from worldtune.distill.questions import Key, Question, build_questions, choose_rows
from worldtune.distill.replies import Reply
from worldtune.distill.report import build_report, summarise
from worldtune.distill.tables import (
    Judged,
    choose_demonstrations,
    demonstration_table,
    training_table,
)
from worldtune.distill.teacher import Teacher, TeacherError
from worldtune.domains import get_domain
from worldtune.engine.runtime.tracking import Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Distilled:
    """demonstrations: the kept answers. training: a training split with their reasoning."""

    demonstrations: pd.DataFrame
    training: pd.DataFrame
    report: dict[str, Any]


@dataclass
class _Court:
    """Judges every answer once, and counts those that are accepted."""

    domain: Domain
    form: Form
    config: DistillConfig
    verdicts: dict[Key, Verdict] = field(default_factory=dict)
    num_accepted: int = 0

    def judge(self, question: Question, reply: Reply) -> Verdict:
        known = self.verdicts.get(question.key)
        if known is not None:
            return known
        verdict = judge(
            question.row,
            reply,
            domain=self.domain,
            form=self.form,
            threshold=self.config.threshold,
        )
        self.verdicts[question.key] = verdict
        self.num_accepted += verdict.is_accepted
        return verdict

    def is_enough(self, question: Question, reply: Reply) -> bool:
        """Whether the row need not be asked again; judges in any case, so that progress shows."""
        is_accepted = self.judge(question, reply).is_accepted
        return is_accepted and self.config.keep == "first"


def distill(
    train: pd.DataFrame, folder: Path, *, domain: str, task: Config, config: DistillConfig
) -> Distilled:
    """Ask the teacher about rows of the training split, and keep its good answers.

    Args:
        train: the training split of the domain.
        folder: the run folder; answers are kept there, and not asked for again.
        domain: its name.
        task: its parameters ``task``.
        config: its parameters ``distill``.

    Raises:
        TeacherError: there is no teacher, or it cannot be asked.
        NoReasoningError: the domain's answers hold no reasoning under ``task``.
        LedgerError: another run is using the folder.
    """
    started = time.perf_counter()
    bound = get_domain(domain, task)
    if not config.model:
        raise TeacherError(
            f"{domain}.distill.model is empty. Name a model that {domain}.distill.base_url serves; "
            "docs/distill.md shows a whole command"
        )
    rows = choose_rows(train.to_dict("records"), bound, config)
    if not rows:
        raise TeacherError(
            f"none of the {len(train)} training rows of {domain} is left to ask about. Ingest more "
            f"of them, or raise {domain}.distill.unchanged_keep_fraction"
        )
    court = _Court(bound, find_form(bound, rows[0]), config)
    questions = [build_questions(row, bound, config) for row in rows]
    teacher = Teacher(config, domain=domain)
    with Ledger(folder / "answers.jsonl") as ledger:
        interview = _ask(questions, court, ledger, teacher, label=f"distill {domain}")
        answers = _answers(questions, court, ledger)
    kept = choose_demonstrations(answers, config)
    counts = {"train": len(train), "asked": len(rows)}
    report = build_report(answers, kept, interview.effort, config=config, rows=counts)
    logger.info("distill %s: %s", domain, summarise(report))
    if not kept:
        logger.warning("no answer reached %s.distill.threshold; nothing to train on", domain)
    table = demonstration_table(kept, teacher=config.model)
    whole = {"domain": domain, "host": teacher.host, **report}
    whole["wall_s"] = round(time.perf_counter() - started, 3)
    return Distilled(table, training_table(train, table), whole)


def _ask(
    questions: Sequence[Job], court: _Court, ledger: Ledger, teacher: Teacher, *, label: str
) -> Interview:
    """Ask what the ledger does not know; returns the interview, which counted."""
    jobs = [job for row in questions for job in _pending(row, court, ledger)]
    total, left = sum(map(len, questions)), sum(map(len, jobs))
    progress = Progress(label, total=total, done=total - left)

    def show(settled: int) -> None:
        repeated = sum(interview.effort.retries.values())
        progress.advance({"accepted": court.num_accepted, "repeated": repeated}, count=settled)

    interview = Interview(teacher, ledger, court.config, court.is_enough, show)
    if jobs:
        logger.info("%s: %d requests to %s", label, left, teacher.host)
        try:
            asyncio.run(interview.ask_all(jobs))
        finally:
            progress.close()
    return interview


def _pending(row: Job, court: _Court, ledger: Ledger) -> list[Job]:
    """The questions about a row that have no answer yet: one job each, or one where one may do."""
    replies = [(question, ledger.get(question.key)) for question in row]
    known = [(question, reply) for question, reply in replies if reply is not None]
    if any([court.is_enough(question, reply) for question, reply in known]):
        return []
    unknown = [question for question, reply in replies if reply is None]
    if court.config.keep == "first":
        return [unknown] if unknown else []
    return [[question] for question in unknown]


def _answers(questions: Sequence[Job], court: _Court, ledger: Ledger) -> list[Judged]:
    """Every answer there is to the questions of this run, in their order."""
    return [
        Judged(question, reply, court.judge(question, reply))
        for row in questions
        for question in row
        if (reply := ledger.get(question.key)) is not None
    ]
