"""From the split tables of a domain to a folder that TRL or verl trains from."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from worldtune.config import Config, RlvrConfig
from worldtune.contracts import Prompt, turns
from worldtune.domains import get_domain
from worldtune.engine.learn.rewards import Rewards
from worldtune.errors import UserError
from worldtune.export.dataset import (
    is_chat_prompt,
    read_rows,
    trl_table,
    verl_table,
)
from worldtune.export.files import Facts, chat_template, readme, reward_file

Trainer = Literal["trl", "verl"]


class ExportError(UserError):
    """There is nothing to export, or not what was asked for."""


def find_tables(folder: Path, splits: Sequence[str], *, domain: str) -> dict[str, Path]:
    """The tables of a domain that ingestion left in a folder, by split.

    Args:
        folder: holds one parquet file per split.
        splits: those wanted; all that there are if empty.
        domain: its name, for the message.

    Raises:
        ExportError: the folder has no tables, or lacks a split.
    """
    found = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
    if not found:
        raise ExportError(
            f"{folder} holds no tables of {domain}. Make them first, with the same --env if any: "
            f"kedro run --pipelines=ingest_{domain}"
        )
    missing = [split for split in splits if split not in found]
    if missing:
        raise ExportError(
            f"--split {missing[0]}: {folder} has no such table. Splits: {', '.join(found)}"
        )
    return {split: found[split] for split in splits or found}


def write_export(
    tables: Mapping[str, Path],
    out: Path,
    *,
    domain: str,
    task: Config,
    rlvr: RlvrConfig,
    to: Trainer,
) -> list[Path]:
    """Write tables, reward function and README; files of the same name are replaced whole.

    Args:
        tables: path of the table of each split.
        out: folder to write to; made if it does not exist.
        domain: its name.
        task: its parameters ``task``.
        rlvr: its parameters ``rlvr``: the reward, and the settings that the README's command names.
        to: the trainer.

    Returns:
        The files.

    Raises:
        ExportError: the tables have no rows.
        ParameterError: the reward asks for parts or functions that there are not.
    """
    bound = get_domain(domain, task)
    rows = {split: read_rows(path) for split, path in tables.items()}
    first = next((row for part in rows.values() for row in part), None)
    if first is None:
        names = ", ".join(map(str, tables.values()))
        raise ExportError(f"the tables of {domain} have no rows to export: {names}")
    scored = Rewards(bound, rlvr.reward).score(first, bound.completion(first))
    is_chat = is_chat_prompt(bound.prompt(first))
    facts = Facts(
        domain=domain,
        task=task.model_dump(mode="json"),
        rlvr=rlvr,
        parts=tuple(scored.parts),
        rows={split: len(part) for split, part in rows.items()},
        is_chat=is_chat,
        longest_prompt=_longest(bound.prompt(row) for part in rows.values() for row in part),
    )
    make = trl_table if to == "trl" else verl_table
    files = {"reward.py": reward_file(facts, to), "README.md": readme(facts, to)}
    template = chat_template(facts, to)
    if template is not None:
        files["chat_template.jinja"] = template
    contents = {name: text.encode() for name, text in files.items()}
    for split, part in rows.items():
        table = make(bound, part, split=split, is_chat=is_chat)
        contents[f"{split}.parquet"] = _parquet(table)
    return [_write(out / name, content) for name, content in contents.items()]


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _write(path: Path, content: bytes) -> Path:
    """Replace a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    os.replace(fresh, path)
    return path


def _longest(prompts: Iterable[Prompt]) -> int:
    """Characters of the longest prompt."""
    return max(sum(len(turn.content) for turn in turns(prompt)) for prompt in prompts)
