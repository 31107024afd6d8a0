"""Every answer that was paid for, on disk before it is used: one JSON line per finished request.

Lines are appended and fsync'ed one by one and never changed. A killed run leaves whole lines and at
most a torn last one, which the next run cuts off; that request was not finished and is asked again.
The file outlives changes of settings: a changed prompt or teacher has another fingerprint, a
changed threshold judges the same answers anew.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from worldtune.distill.questions import Key
from worldtune.distill.replies import Reply
from worldtune.engine.runtime import durable
from worldtune.engine.runtime.tracking import read_jsonl
from worldtune.errors import UserError


class LedgerError(UserError):
    """The ledger cannot be used now."""


class Ledger:
    """The answers of a run folder by key; one process at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the file and read what it holds. Raises LedgerError if it is in use."""
        self._path = path
        with durable.explained("answers of the teacher", path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            durable.sync_folder(path.parent)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise LedgerError(
                f"another run is asking the teacher for {path}. Wait for its end, or give this run "
                "another folder (WORLDTUNE_DATA_ROOT)"
            ) from None
        self._cut_torn_line()
        self._replies = dict(filter(None, map(_read_record, read_jsonl(path))))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def get(self, key: Key) -> Reply | None:
        """The answer to a request, None if there is none yet."""
        return self._replies.get(key)

    def add(self, key: Key, reply: Reply) -> None:
        """Note an answer; it is on the disk when this returns."""
        row_id, sample, fingerprint = key
        record = {"row_id": row_id, "sample": sample, "fingerprint": fingerprint, **asdict(reply)}
        line = json.dumps(record).encode() + b"\n"
        with durable.explained("answers of the teacher", self._path.parent):
            durable.write_all(self._file.fileno(), memoryview(line))
            os.fsync(self._file.fileno())
        self._replies[key] = reply

    def _cut_torn_line(self) -> None:
        content = self._path.read_bytes()
        self._file.truncate(content.rfind(b"\n") + 1)


def _read_record(record: Mapping[str, Any]) -> tuple[Key, Reply] | None:
    """A line as it was noted; None where it is not one of ours."""
    try:
        fields = dict(record)
        key = fields.pop("row_id"), fields.pop("sample"), fields.pop("fingerprint")
        return key, Reply(**fields)
    except (KeyError, TypeError):
        return None
