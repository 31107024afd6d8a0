"""Ingestion of text-game transitions: what the shared ingestion has to know of states and games.

Test rows that others have published stay as they are, unchanged rows included, because results
are compared on them: copies of them are left out of training instead. And a published source may
hold nothing but tests.
"""

import hashlib
from dataclasses import replace
from typing import Any

import pandas as pd

from worldtune.config import TextGameIngestConfig
from worldtune.contracts import Row
from worldtune.domains.text_game.checks import REASONS, complete_row
from worldtune.domains.text_game.readers import PUBLISHED, READER, open_source
from worldtune.ingestion.ingest import Ingested, Recipe, ingest_entries
from worldtune.ingestion.rows import SourceError, stable_id
from worldtune.ingestion.summary import Groups, Share

SHARES = (
    Share("unchanged", lambda row: not row["changed"]),
    Share("gold", lambda row: row["gold"]),
    Share("by_action", lambda row: row["changed_by"] in ("action", "both")),
    Share("by_tick", lambda row: row["changed_by"] in ("tick", "both")),
    Share("score_changed", lambda row: row["score_changed"]),
    Share("objects_added", lambda row: row["num_added"] > 0),
    Share("objects_removed", lambda row: row["num_removed"] > 0),
    Share("determined", lambda row: row["determined"]),
    Share("determined_of_changed", lambda row: row["determined"], is_of_changed=True),
)
LENGTHS = {
    "state and answer, tokens (estimate)": lambda row: row["tokens_est"],
    "changes, objects": lambda row: _num_objects(row) if row["changed"] else None,
}
_INTEGERS = (
    "seed",
    "step",
    "uuid_base",
    "num_added",
    "num_removed",
    "num_modified",
    "tokens_est",
)


def ingest(config: TextGameIngestConfig, seed: int) -> Ingested:
    """Read a source, check every row, and split what is good.

    Args:
        config: parameters ``text_game.ingest``.
        seed: of the splits and of the draw of surplus unchanged rows.

    Raises:
        SourceError: the source cannot be read, no training row is left of a source that should
            have some, or a game to hold out is not in it.
        TooManyBadRowsError: the share of quarantined rows exceeds ``max_bad_fraction``.
    """
    source = open_source(config)
    ingested = ingest_entries(
        source.read, source.facts, recipe=_recipe(config), limits=config, seed=seed
    )
    _check_held_out(config, ingested.transitions)
    if source.facts.sha256:
        return ingested
    facts = {**ingested.report["source"], "sha256": _digest(ingested.transitions)}
    return replace(ingested, report={**ingested.report, "source": facts})


def _recipe(config: TextGameIngestConfig) -> Recipe:
    def complete(raw: Row, number: int) -> dict[str, Any]:
        return complete_row(raw, number=number, max_tokens=config.max_tokens)

    is_published = config.source.kind in PUBLISHED
    return Recipe(
        domain="text_game",
        complete=complete,
        question=lambda row: (row["state"], row["score"], row["action"]),
        task=_task,
        reasons=REASONS,
        shares=SHARES,
        groups=Groups("game", "games", facts=("source",)),
        lengths=LENGTHS,
        dtypes=dict.fromkeys(_INTEGERS, "int32"),
        held_out=lambda row: row["game"] in config.held_out_games,
        whole_splits=frozenset({"test_iid", "test_unseen"} if is_published else ()),
        is_training_optional=is_published,
    )


def _task(row: Row) -> str:
    """Rows of one play belong together; without plays, rows that start from one state do."""
    place = (row["seed"],) if row["rollout"] else (row["state"], row["score"])
    return stable_id((row["game"], *place))


def _check_held_out(config: TextGameIngestConfig, table: pd.DataFrame) -> None:
    games = sorted(set(table["game"]))
    absent = [name for name in config.held_out_games if name not in games]
    if absent:
        raise SourceError(
            f"{READER.prefix}.held_out_games: {absent[0]!r} is not in the source. "
            f"Its games: {', '.join(games)}."
        )


def _digest(table: pd.DataFrame) -> str:
    """The sha256 of rows that were played and have no file: of their ids and outcomes."""
    sha = hashlib.sha256()
    for row in table[["row_id", "next_state", "next_score"]].itertuples(index=False):
        sha.update("\0".join(row).encode())
    return sha.hexdigest()


def _num_objects(row: Row) -> int:
    return int(row["num_added"] + row["num_removed"] + row["num_modified"])
