"""The sources of text-game transitions, one file each, chosen by text_game.ingest.source.kind.

Two are read from files (gpt_simulator, thuml_cot) and two are played while they are read (own,
games). What a row must fulfil is decided in one place for all of them: checks.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

from worldtune.config import TextGameIngestConfig
from worldtune.domains.text_game.readers import games, gpt_simulator, own, thuml_cot
from worldtune.domains.text_game.readers.clone import find_clone
from worldtune.ingestion import files
from worldtune.ingestion.files import SourceFile
from worldtune.ingestion.ingest import SourceFacts
from worldtune.ingestion.rows import Entry, RawRow
from worldtune.ingestion.source import SourceReader

PUBLISHED = ("gpt_simulator", "thuml_cot")
"""Kinds whose rows others have published, with splits of their own."""
READER = SourceReader(
    prefix="text_game.ingest",
    formats={module.FORMAT.kind: module.FORMAT for module in (gpt_simulator, thuml_cot)},
    hub_example="thuml/bytesized32-world-model-cot",
)


@dataclass(frozen=True)
class Source:
    """A source that was found. read: begins reading it. facts: for the report."""

    read: Callable[[], Iterator[Entry]]
    facts: SourceFacts


def open_source(config: TextGameIngestConfig) -> Source:
    """Find the source that a configuration names.

    Sources that are played have no files; their facts leave the sha256 open.

    Raises:
        SourceError: nothing is there that can be read; says what was looked for.
    """
    kind, path = config.source.kind, config.source.path
    if kind == "own":
        facts = SourceFacts(kind, "games of this project", files=0, sha256="")
        return Source(partial(own.read, config.own), facts)
    if kind == "games":
        read: Callable[[], Iterator[Entry]] = partial(games.read, path, config.games)
        if config.limit is not None:
            # A limit has the source read twice, and running games takes minutes.
            played = cache(lambda: tuple(games.read(path, config.games)))
            read = lambda: iter(played())  # noqa: E731
        return Source(read, SourceFacts(kind, path, files=0, sha256=""))
    if kind == "gpt_simulator":
        clone = find_clone(path)
        found = list(clone.files)
        return Source(partial(_with_rules, found, clone.rules), _facts(kind, path, found))
    found = READER.find_files(path)
    return Source(partial(READER.read, kind, found), _facts(kind, path, found))


def _facts(kind: str, path: str, found: list[SourceFile]) -> SourceFacts:
    return SourceFacts(kind, path, len(found), files.digest(found))


def _with_rules(found: list[SourceFile], rules: Mapping[str, str]) -> Iterator[Entry]:
    for entry in READER.read("gpt_simulator", found):
        if isinstance(entry, RawRow):
            entry.values["rules"] = rules.get(str(entry.values["game"]), "")
        yield entry
