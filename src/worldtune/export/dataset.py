"""Rows of a domain as the tables that TRL and verl read.

The reward needs the row that a completion answers. It travels as one JSON text, because a column of
its own for every field would clash with names that the trainers use themselves, and because Arrow
does not give back every Python value as it was.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from worldtune.contracts import Domain, Prompt, Row, turns

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def read_rows(path: Path) -> list[Row]:
    """The rows of a split as plain Python values."""
    rows: list[Row] = pq.read_table(path).to_pylist()
    return rows


def trl_table(domain: Domain, rows: Sequence[Row], *, split: str, is_chat: bool) -> pa.Table:
    """Columns prompt (text, or messages for a chat prompt) and row.

    TRL hands every column but the prompt to its reward functions, and tokenises text as it is and
    messages by the chat template (``GRPOTrainer``, TRL 1.16).
    """
    schema = pa.schema([("prompt", _MESSAGES if is_chat else pa.string()), ("row", pa.string())])
    write: Callable[[Prompt], Any] = _messages if is_chat else str
    records = [{"prompt": write(domain.prompt(row)), "row": _to_json(row)} for row in rows]
    return pa.Table.from_pylist(records, schema=schema)


def verl_table(domain: Domain, rows: Sequence[Row], *, split: str, is_chat: bool) -> pa.Table:
    """Columns data_source, prompt (always messages), ability, reward_model and extra_info.

    The names are those of ``RLHFDataset`` and the reward managers of verl 0.9. The reward reads
    ``extra_info["row"]``; the ground truth is the true completion, for people and other rewards.
    """
    schema = pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", _MESSAGES),
            ("ability", pa.string()),
            ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
            (
                "extra_info",
                pa.struct([("split", pa.string()), ("index", pa.int64()), ("row", pa.string())]),
            ),
        ]
    )
    records = [
        {
            "data_source": f"worldtune/{domain.name}",
            "prompt": _messages(domain.prompt(row)),
            "ability": "world_model",
            "reward_model": {"style": "rule", "ground_truth": domain.completion(row)},
            "extra_info": {"split": split, "index": index, "row": _to_json(row)},
        }
        for index, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(records, schema=schema)


def is_chat_prompt(prompt: Prompt) -> bool:
    """Whether a prompt is made of messages."""
    return not isinstance(prompt, str)


def _messages(prompt: Prompt) -> list[Mapping[str, str]]:
    return [{"role": message.role, "content": message.content} for message in turns(prompt)]


def _to_json(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))
