"""From judged answers to the two tables: what was kept, and a training split with reasoning."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from worldtune.config import DistillConfig
from worldtune.distill.judging import Verdict
from worldtune.distill.questions import Question
from worldtune.distill.replies import Reply

_COLUMNS = {
    "row_id": "str",
    "split": "str",
    "prompt": "str",
    "reasoning": "str",
    "answer": "str",
    "completion": "str",
    "reward": "float64",
    "sample": "int32",
    "teacher": "str",
    "prompt_tokens": "int32",
    "completion_tokens": "int32",
}


@dataclass(frozen=True)
class Judged:
    """A question, what the teacher answered, and what that is worth."""

    question: Question
    reply: Reply
    verdict: Verdict


def choose_demonstrations(answers: Sequence[Judged], config: DistillConfig) -> list[Judged]:
    """The good answers that are kept (``distill.keep``), in the order of the questions."""
    by_row: dict[str, list[Judged]] = {}
    for answer in answers:
        if answer.verdict.is_accepted:
            by_row.setdefault(answer.question.key[0], []).append(answer)
    return [answer for group in by_row.values() for answer in _keep(group, config.keep)]


def _keep(group: list[Judged], rule: str) -> list[Judged]:
    """Of the good answers of one row, in the order of their samples."""
    if rule == "all":
        return group
    if rule == "first":
        return group[:1]
    best = min(group, key=lambda one: (-one.verdict.reward, len(one.verdict.completion)))
    return [best]


def demonstration_table(kept: Sequence[Judged], *, teacher: str) -> pd.DataFrame:
    """One row per kept answer; ``prompt`` is the messages that were sent, as JSON text."""
    records = [
        {
            "row_id": one.question.key[0],
            "split": one.question.row["split"],
            "prompt": json.dumps(one.question.body["messages"], ensure_ascii=False),
            "reasoning": one.verdict.reasoning,
            "answer": one.verdict.answer,
            "completion": one.verdict.completion,
            "reward": one.verdict.reward,
            "sample": one.question.sample,
            "teacher": teacher,
            "prompt_tokens": one.reply.prompt_tokens,
            "completion_tokens": one.reply.completion_tokens,
        }
        for one in kept
    ]
    return pd.DataFrame(records, columns=list(_COLUMNS)).astype(_COLUMNS)


def training_table(train: pd.DataFrame, demonstrations: pd.DataFrame) -> pd.DataFrame:
    """The training rows behind the demonstrations, with the teacher's reasoning.

    Columns and types are those of the training split (``reasoning`` is added where it has none);
    the answer that SFT trains on is thus the true one. Row ids gain the number of the sample,
    because a row may stand there several times.
    """
    plain = train.drop(columns="reasoning", errors="ignore")
    reasons = demonstrations[["row_id", "sample", "reasoning"]]
    joined = reasons.merge(plain, on="row_id", validate="many_to_one")
    joined["row_id"] = joined["row_id"] + "#" + joined["sample"].astype("str")
    order = [*train.columns, *(() if "reasoning" in train else ("reasoning",))]
    return joined[order]
