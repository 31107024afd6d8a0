"""Reading a source: files -> records -> raw rows in the columns of a domain.

It checks only that the columns of each file fit the format that the user named. What a row must
fulfil is decided in one place for all formats of a domain, its checks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from worldtune.ingestion import files
from worldtune.ingestion.files import SourceFile
from worldtune.ingestion.rows import (
    Entry,
    Format,
    RawRow,
    Record,
    RowFault,
    SourceError,
    Unreadable,
)


@dataclass(frozen=True)
class SourceReader:
    """Reads the files of one domain.

    prefix: of its parameters, such as "web.ingest". formats: by the name that
    ``<prefix>.source.kind`` gives. hub_example: a hub id that it can read, for messages.
    """

    prefix: str
    formats: Mapping[str, Format]
    hub_example: str

    def find_files(self, path: str) -> list[SourceFile]:
        """The files at ``<prefix>.source.path``. Raises SourceError if there are none."""
        return files.find_files(
            path, key=f"{self.prefix}.source.path", hub_example=self.hub_example
        )

    def read(self, kind: str, source: Sequence[SourceFile]) -> Iterator[Entry]:
        """Yield a raw row or an unreadable entry for every transition of the files.

        Raises:
            SourceError: the columns of a file do not fit; says what was found and what is needed.
        """
        if kind not in self.formats:
            raise SourceError(f"{self._key} is {kind!r}; expected one of {', '.join(self.formats)}")
        source_format = self.formats[kind]
        for file in source:
            self._check_columns(source_format, file)
        for file in source:
            for record in files.read(file, source_format.max_line_bytes):
                if isinstance(record, Unreadable):
                    yield record
                else:
                    yield from _convert(source_format, record)

    @property
    def _key(self) -> str:
        return f"{self.prefix}.source.kind"

    def _check_columns(self, source_format: Format, file: SourceFile) -> None:
        found = files.columns(file, source_format.max_line_bytes)
        # A JSON file without one readable entry has no columns; its lines are reported one by one.
        if source_format.fits(found) or (not found and file.suffix != ".parquet"):
            return
        needs = "\n".join(
            f"    {kind}: {' | or '.join(', '.join(names) for names in known.needs)}"
            for kind, known in self.formats.items()
        )
        fitting = [kind for kind, known in self.formats.items() if known.fits(found)]
        advice = (
            f"They fit: {', '.join(fitting)}."
            if fitting
            else "They fit none: rename the columns to those of one format."
        )
        raise SourceError(
            f"{self._key} is {source_format.kind!r}, but the columns of {file.name} do not fit it."
            f"\n  columns found: {', '.join(sorted(found)) or 'none'}\n"
            f"  columns that each format needs:\n{needs}\n  {advice}"
        )


def _convert(source_format: Format, record: Record) -> Iterator[Entry]:
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
