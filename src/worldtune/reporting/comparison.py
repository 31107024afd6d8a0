"""Where RLVR pays: comparison.json as Markdown for the docs and as a section of the HTML report.

Several training recipes ("arms") over several seeds, each with the same wall time where it says so.
Both renderings are made from the same tables; the finding in words is made from the numbers alone.
The second part, few demonstrations, is there if the comparison has it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from worldtune.reporting.comparison_tables import comparison_tables, primary_metric
from worldtune.reporting.finding import few_finding, finding
from worldtune.reporting.html import Html, section, text
from worldtune.reporting.numbers import listed, number

_FEW_TITLE = "Few demonstrations"


def render_comparison_markdown(comparison: Mapping[str, Any]) -> str:
    """The comparison as GitHub Markdown: the finding, then tables; no heading above the first."""
    words = finding(comparison, primary_metric(comparison))
    parts = [words, _setting(comparison), *_notes(comparison), *_markdown_tables(comparison)]
    few = _few_part(comparison)
    if few:
        words = few_finding(few, primary_metric(comparison))
        parts += [f"## {_FEW_TITLE}", words, *_few_notes(few), *_markdown_tables(few)]
    return "\n\n".join(parts)


def render_comparison_html(comparison: Mapping[str, Any]) -> Html:
    """The comparison as a section for ``html.page``, its gains also drawn."""
    notes = " ".join([_setting(comparison), *_notes(comparison)])
    body = _html_part(comparison, finding(comparison, primary_metric(comparison)))
    few = _few_part(comparison)
    if few:
        lead = text(" ".join(_few_notes(few)))
        words = few_finding(few, primary_metric(comparison))
        body += f'<h3>{_FEW_TITLE}</h3><p class="lead">{lead}</p>{_html_part(few, words)}'
    return section("Where RLVR pays", body, anchor="comparison", lead=notes)


def _few_part(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """The second part with what both share, in the shape of the first; empty if there is none."""
    few = comparison.get("few")
    if not isinstance(few, Mapping):
        return {}
    shared = ("primary_metric", "higher_is_better", "seeds", "n")
    return {**{key: comparison[key] for key in shared if key in comparison}, **few}


def _markdown_tables(part: Mapping[str, Any]) -> list[str]:
    return [table.to_markdown() for group in comparison_tables(part) for table in group]


def _html_part(part: Mapping[str, Any], words: str) -> str:
    gains, scores = comparison_tables(part, is_html=True)
    return (
        f'<p class="verdict">{text(words)}</p>'
        + "".join(table.to_html() for table in gains)
        + f'<details class="more-curves"><summary>All {len(scores)} tables of scores</summary>'
        + "".join(table.to_html() for table in scores)
        + "</details>"
    )


def _setting(comparison: Mapping[str, Any]) -> str:
    seeds: Sequence[Any] = comparison.get("seeds") or []
    words = f"{len(seeds)} training seeds ({', '.join(map(str, seeds))})" if seeds else "No seeds"
    return (
        f"{words}; means over rows and seeds with 95 % bootstrap intervals over rows. SFT, equal "
        "time: SFT continued for as long as RLVR took. SFT + threshold: predicted lines below a "
        "confidence tuned on validation rows are left out."
    )


def _notes(comparison: Mapping[str, Any]) -> list[str]:
    notes = []
    thresholds = listed((comparison.get("threshold") or {}).get("per_seed"))
    if thresholds:
        notes.append(f"The confidence thresholds found: {', '.join(map(number, thresholds))}.")
    if comparison.get("note"):
        notes.append(str(comparison["note"]))
    return notes


def _few_notes(few: Mapping[str, Any]) -> list[str]:
    """What the arms of the second part are."""
    stated: Mapping[str, Any] = few.get("settings") or {}
    task = ", ".join(f"{key}: {value}" for key, value in (stated.get("task") or {}).items())
    counts = [stated.get(key) for key in ("rows", "train_rows")]
    is_known = all(isinstance(count, int) for count in counts)
    count = " of ".join(f"{count:,}" for count in counts) if is_known else "some"
    notes = [
        f"SFT on few: SFT on {count} training rows{f' ({task})' if task else ''}"
        f"{_length(stated.get('sft'))}. SFT on few, equal time: SFT continued on the same rows for "
        "as long as RLVR took. RLVR after few: RLVR from SFT on few, on the prompts of all rows"
        f"{_length(stated.get('rlvr'))}. SFT: SFT on all training rows, as above."
    ]
    return [*notes, str(few["note"])] if few.get("note") else notes


def _length(stage: Any) -> str:
    """How long a stage is, where that is known."""
    if not isinstance(stage, Mapping):
        return ""
    return f", {stage.get('steps')} steps, answers of up to {stage.get('max_new_tokens')} tokens"
