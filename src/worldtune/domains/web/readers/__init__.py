"""Readers of the formats that users have, one file each, chosen by web.ingest.source.kind.

``read_source`` yields raw rows in our columns, or Unreadable entries; it checks only that the
columns of each file fit. What a row must fulfil is decided in one place for all formats: checks.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from worldtune.domains.web.readers import files, jsonl, mind2web, recorded, thuml_cot, wma
from worldtune.domains.web.readers.files import SourceFile
from worldtune.domains.web.readers.rows import Format, Record, RowFault, SourceError, Unreadable

FORMATS: dict[str, Format] = {
    module.FORMAT.kind: module.FORMAT for module in (recorded, thuml_cot, wma, mind2web, jsonl)
}
KIND_KEY = "web.ingest.source.kind"


@dataclass(frozen=True)
class RawRow:
    """One transition in our columns, unchecked. origin: "file:number" of its entry."""

    values: dict[str, Any]
    origin: str


def read_source(kind: str, source: list[SourceFile]) -> Iterator[RawRow | Unreadable]:
    """Yield a raw row or an unreadable entry for every transition of the files.

    Raises:
        SourceError: the columns of a file do not fit; says what was found and what is needed.
    """
    if kind not in FORMATS:
        raise SourceError(f"{KIND_KEY} is {kind!r}; expected one of {', '.join(FORMATS)}")
    source_format = FORMATS[kind]
    for file in source:
        _check_columns(source_format, file)
    for file in source:
        for record in files.read(file, source_format.max_line_bytes):
            if isinstance(record, Unreadable):
                yield record
            else:
                yield from _convert(source_format, record)


def _convert(source_format: Format, record: Record) -> Iterator[RawRow | Unreadable]:
    try:
        for row in source_format.convert(record):
            if isinstance(row, RowFault):
                yield _unreadable(record, row)
            else:
                row["split"] = row.get("split") or record.split
                yield RawRow(row, record.origin)
    except RowFault as fault:
        yield _unreadable(record, fault)


def _unreadable(record: Record, fault: RowFault) -> Unreadable:
    names = ascii(sorted(map(str, record.values)))[:400]
    return Unreadable(fault.reason, str(fault), record.origin, f"fields: {names}")


def _check_columns(source_format: Format, file: SourceFile) -> None:
    found = files.columns(file, source_format.max_line_bytes)
    # A JSON file without one readable entry has no columns; its lines are reported one by one.
    if source_format.fits(found) or (not found and file.path.suffix != ".parquet"):
        return
    needs = "\n".join(
        f"    {kind}: {' | or '.join(', '.join(names) for names in known.needs)}"
        for kind, known in FORMATS.items()
    )
    fitting = [kind for kind, known in FORMATS.items() if known.fits(found)]
    advice = (
        f"They fit: {', '.join(fitting)}."
        if fitting
        else "They fit none: rename the columns to those of one format."
    )
    raise SourceError(
        f"{KIND_KEY} is {source_format.kind!r}, but the columns of {file.name} do not fit it.\n"
        f"  columns found: {', '.join(sorted(found)) or 'none'}\n"
        f"  columns that each format needs:\n{needs}\n  {advice}"
    )


__all__ = ["FORMATS", "RawRow", "RowFault", "SourceError", "Unreadable", "read_source"]
