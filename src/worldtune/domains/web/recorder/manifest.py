"""The manifest beside the recording: versions, seeds, counts, shares, checksum, licences.

No timestamps: the same recording has the same manifest.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from worldtune.domains.web.recorder.card import render_card
from worldtune.domains.web.recorder.pages import HELD_OUT_FAMILIES, HELD_OUT_SITES, Episode
from worldtune.domains.web.recorder.recording import (
    MAX_DIFF_TOKENS_EST,
    MAX_OBS_TOKENS_EST,
    write_parquet,
)
from worldtune.domains.web.recorder.rows import RECORDER, Row

TABLE = "transitions.parquet"
MANIFEST = "manifest.json"
CARD = "README.md"
SPLITS = ("train", "val", "test_iid", "test_unseen")
MINIWOB_NOTICE = (
    "The rows with page_set miniwob are accessibility trees of pages of MiniWoB++ 1.1.0 "
    "(https://github.com/Farama-Foundation/miniwob-plusplus), MIT License, Copyright (c) "
    "2017 OpenAI, Copyright (c) Stanford University, Copyright (c) Farama Foundation. "
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this "
    'software and associated documentation files (the "Software"), to deal in the '
    "Software without restriction, including without limitation the rights to use, copy, "
    "modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, "
    "and to permit persons to whom the Software is furnished to do so, subject to the "
    "following conditions: The above copyright notice and this permission notice shall be "
    "included in all copies or substantial portions of the Software. THE SOFTWARE IS "
    'PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED.'
)


def shares(rows: Sequence[Row]) -> dict[str, Any]:
    """Count a set of rows.

    ``unchanged`` is a share of all rows, ``hidden_of_changed`` the share of the changed rows that
    hold a hidden line; ``items_median`` and ``items_p90`` count lines of changed rows.
    """
    changed = [row for row in rows if row.changed]
    kinds = Counter(row.action.split(" ")[0] for row in rows)
    items = sorted(
        len(row.new_items) + len(row.deleted_items) + len(row.updated_items) for row in changed
    )
    return {
        "rows": len(rows),
        "unchanged": _share(sum(not row.changed for row in rows), len(rows)),
        "hidden_of_changed": _share(sum(not row.predictable for row in changed), len(changed)),
        "items_median": items[len(items) // 2] if items else 0,
        "items_p90": items[len(items) * 9 // 10] if items else 0,
        "obs_tokens_est_mean": round(sum(row.obs_tokens_est for row in rows) / max(1, len(rows))),
        "actions": dict(sorted(kinds.items())),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def build_manifest(
    rows: Sequence[Row], episodes: Iterable[Episode], *, sha256: str
) -> dict[str, Any]:
    """Describe a recording; ``sha256`` is that of its table."""
    seeds: dict[str, set[int]] = {}
    for episode in episodes:
        seeds.setdefault(episode.page_set, set()).add(episode.seed)
    sites = sorted({(row.page_set != "own", row.page_set, row.site) for row in rows})
    page_sets = dict.fromkeys(page_set for _, page_set, _ in sites)
    return {
        "table": TABLE,
        "sha256": sha256,
        "recorder": RECORDER,
        "browser": sorted({row.browser for row in rows}),
        "versions": {name: _version(name) for name in ("playwright", "miniwob")},
        "seeds": {name: f"{min(each)}-{max(each)}" for name, each in sorted(seeds.items())},
        "limits": {"obs_tokens_est": MAX_OBS_TOKENS_EST, "diff_tokens_est": MAX_DIFF_TOKENS_EST},
        "held_out": {"own": sorted(HELD_OUT_SITES), "miniwob": sorted(HELD_OUT_FAMILIES)},
        "all": shares(rows),
        "splits": {name: shares([row for row in rows if row.split == name]) for name in SPLITS},
        "page_sets": {
            name: shares([row for row in rows if row.page_set == name]) for name in page_sets
        },
        "sites": {
            f"{page_set}/{site}": shares(
                [row for row in rows if (row.page_set, row.site) == (page_set, site)]
            )
            for _, page_set, site in sites
        },
        "licences": {
            "own": "Apache-2.0, as the project; pages and texts are original",
            "miniwob": MINIWOB_NOTICE,
        },
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def write_recording(rows: Sequence[Row], episodes: Sequence[Episode], folder: Path) -> str:
    """Write table, manifest and data card into ``folder``; returns one line that sums up."""
    sha256 = write_parquet(rows, folder / TABLE)
    manifest = build_manifest(rows, episodes, sha256=sha256)
    _write_text(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    _write_text(folder / CARD, render_card(manifest))
    overall = manifest["all"]
    size_kib = (folder / TABLE).stat().st_size // 1024
    return (
        f"{len(rows)} rows ({size_kib} KiB) in {folder}: unchanged {overall['unchanged']:.1%}, "
        f"hidden content in {overall['hidden_of_changed']:.1%} of the changed rows"
    )


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, "utf-8")
    os.replace(temporary, path)
