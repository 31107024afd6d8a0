"""Which rows the teacher is asked, and what exactly it is asked about them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worldtune.config import DistillConfig
from worldtune.contracts import Domain, Message, Row, turns

Key = tuple[str, int, str]
"""Row id, number of the sample, fingerprint of the request: the same key is never asked twice."""


@dataclass(frozen=True)
class Question:
    """One request: a row, the number of its sample, and what is sent about it."""

    row: Row
    sample: int
    body: Mapping[str, Any]
    fingerprint: str

    @property
    def key(self) -> Key:
        """What the ledger knows this request by."""
        return str(self.row["row_id"]), self.sample, self.fingerprint


def choose_rows(rows: Sequence[Row], domain: Domain, config: DistillConfig) -> list[Row]:
    """The rows to ask, in a seeded order that does not depend on how many there are.

    Unchanged rows are drawn before they are asked; the reference asks all and then drops their good
    answers (probability 1/101 of being kept), which costs more, and counts rows in which only
    the score changes as unchanged.
    """
    seed, share = config.selection_seed, config.unchanged_keep_fraction
    candidates = [
        row
        for row in rows
        if "unchanged" not in domain.subsets(row) or _draw(seed, "unchanged", row) < share
    ]
    candidates.sort(key=lambda row: _draw(seed, "order", row))
    return candidates[: config.max_rows]


def _draw(seed: int, purpose: str, row: Row) -> float:
    """A number in [0, 1) from the row's id alone."""
    digest = hashlib.sha256(f"{seed}\0{purpose}\0{row['row_id']}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def build_questions(row: Row, domain: Domain, config: DistillConfig) -> list[Question]:
    """The requests about a row, one per sample.

    Their fingerprint is a hash of what is sent. The address is no part of it: a teacher that moves
    to another port is still the same.
    """
    system = (Message("system", config.system),) if config.system else ()
    messages = [
        {"role": message.role, "content": message.content}
        for message in (*system, *turns(domain.prompt(row)))
    ]
    limits = {"temperature": config.temperature, "max_tokens": config.max_tokens}
    stated = {name: value for name, value in limits.items() if value is not None}
    body = {"model": config.model, "messages": messages, **stated, "extra_body": config.extra_body}
    fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
    return [Question(row, sample, body, fingerprint) for sample in range(config.samples)]
