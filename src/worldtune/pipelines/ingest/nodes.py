"""Nodes of stage ingest. What a transition is, is the domain's business; here only splits."""

import os
from typing import Any

from worldtune.config import domain_config
from worldtune.domains import get_data_module
from worldtune.ingestion.splits import SPLITS

Table = Any
"""A pandas table; not named as such, because listing pipelines should not import pandas."""


def build_transitions(
    config: Any, seed: int, *, domain: str
) -> tuple[Table, Table, dict[str, Any]]:
    """Read, check and split a source: transitions, quarantine, and what was counted.

    Args:
        config: parameters ``<domain>.ingest``, as the domain's own class or as plain values.
        seed: of splits and draws.
        domain: name in ``worldtune.domains``.
    """
    expected = domain_config(domain).model_fields["ingest"].annotation
    assert expected is not None, f"{domain} declares no ingest parameters"
    ingested = get_data_module(domain).ingest(expected.model_validate(config), seed)
    return ingested.transitions, ingested.quarantine, ingested.report


def split_sets(
    transitions: Table,
) -> tuple[Table, Table, Table, Table]:
    """The rows of each split as a table of its own: train, val, test_iid, test_unseen."""
    train, val, test_iid, test_unseen = (
        transitions[transitions["split"] == split].reset_index(drop=True) for split in SPLITS
    )
    return train, val, test_iid, test_unseen


def write_validation_report(
    transitions: Table,
    quarantine: Table,
    ingest_report: dict[str, Any],
    *,
    domain: str,
) -> str:
    """The HTML page about the tables that were just saved, with the suites' results in it."""
    from worldtune.quality.report import build_report  # noqa: PLC0415  (imports pandas)
    from worldtune.quality.suites import check_table, load_suite  # noqa: PLC0415

    expectations = None
    if os.environ.get("KEDRO_DATASET_VALIDATION", "").strip().lower() not in ("0", "false", "off"):
        tables = {"transitions": transitions, "quarantine": quarantine}
        expectations = {
            f"{domain}.{name}": check_table(
                table, load_suite(f"conf/base/expectations/{domain}_{name}.json")
            )
            for name, table in tables.items()
        }
    return build_report(ingest_report, quarantine, expectations)
