"""Ingestion of web transitions: what the shared ingestion has to know of pages and sites."""

from functools import partial
from typing import Any

from worldtune.config import WebIngestConfig
from worldtune.contracts import Row
from worldtune.domains.web.checks import REASONS, complete_row
from worldtune.domains.web.readers import READER
from worldtune.ingestion import files
from worldtune.ingestion.ingest import Ingested, Recipe, SourceFacts, ingest_entries
from worldtune.ingestion.summary import Groups, Share

SHARES = (
    Share("unchanged", lambda row: not row["changed"]),
    Share("structural", lambda row: row["structural"]),
    Share("predictable", lambda row: row["predictable"]),
    Share("predictable_of_changed", lambda row: row["predictable"], is_of_changed=True),
)
LENGTHS = {
    "page length, tokens (estimate)": lambda row: row["obs_tokens_est"],
    "changes, lines": lambda row: _num_lines(row) if row["changed"] else None,
}
_INTEGERS = ("seed", "step", "next_id", "obs_tokens_est", "diff_tokens_est")


def ingest(config: WebIngestConfig, seed: int) -> Ingested:
    """Read a source, check every row, and split what is good.

    Args:
        config: parameters ``web.ingest``.
        seed: of the splits and of the draw of surplus unchanged rows.

    Raises:
        SourceError: the source cannot be read, or no training row is left of it.
        TooManyBadRowsError: the share of quarantined rows exceeds ``max_bad_fraction``.
    """
    kind, path = config.source.kind, config.source.path
    found = READER.find_files(path)
    return ingest_entries(
        partial(READER.read, kind, found),
        SourceFacts(kind, path, len(found), files.digest(found)),
        recipe=_recipe(config),
        limits=config,
        seed=seed,
    )


def _recipe(config: WebIngestConfig) -> Recipe:
    def complete(raw: Row, number: int) -> dict[str, Any]:
        return complete_row(
            raw, kind=config.source.kind, number=number, max_tokens=config.max_tokens
        )

    return Recipe(
        domain="web",
        complete=complete,
        question=lambda row: (row["observation"], row["action"]),
        task=lambda row: f"{row['site']}\0{row['task']}",
        reasons=REASONS,
        shares=SHARES,
        groups=Groups("site", "sites", facts=("page_set",)),
        lengths=LENGTHS,
        dtypes={**dict.fromkeys(_INTEGERS, "int32"), "reward": "float32"},
    )


def _num_lines(row: Row) -> int:
    return len(row["new_items"]) + len(row["deleted_items"]) + len(row["updated_items"])
