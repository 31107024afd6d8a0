"""The data card beside the recording: ``card.md`` filled in from the manifest.

Generated, so that no number in it is stale.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CARD = Path(__file__).with_name("card.md")


def render_card(manifest: Mapping[str, Any]) -> str:
    """Write the card of a recording in Markdown; ``manifest`` is that of ``build_manifest``."""
    return _CARD.read_text("utf-8").format(
        rows=f"{manifest['all']['rows']:,}",
        table=manifest["table"],
        sha256=manifest["sha256"],
        recorder=manifest["recorder"],
        browser=", ".join(manifest["browser"]),
        playwright=manifest["versions"]["playwright"],
        miniwob=manifest["versions"]["miniwob"],
        seeds=", ".join(f"{name} {seeds}" for name, seeds in manifest["seeds"].items()),
        num_sites=sum(name.startswith("own/") for name in manifest["sites"]),
        splits=_table(manifest["splits"], "split"),
        sites=_table(manifest["sites"], "site"),
        held_out=", ".join(name for names in manifest["held_out"].values() for name in names),
        obs=manifest["limits"]["obs_tokens_est"],
        licence_own=manifest["licences"]["own"],
        licence_miniwob=manifest["licences"]["miniwob"],
    )


def _table(groups: Mapping[str, Mapping[str, Any]], title: str) -> str:
    head = f"| {title} | rows | unchanged | hidden | items | tokens |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {name} | {each['rows']} | {each['unchanged']:.0%} | {each['hidden_of_changed']:.0%} "
        f"| {each['items_median']}, {each['items_p90']} | {each['obs_tokens_est_mean']} |"
        for name, each in groups.items()
    )
