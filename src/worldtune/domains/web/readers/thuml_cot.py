"""The columns of thuml/webarena-world-model-cot: the paper's own web data, MIT, from WebArena.

The current page is inside ``question``; the true changes are in three columns of item lines. The
``next_state_acctree`` column is not used: its ids were matched to the current page by cost, so a
difference by id would not reproduce the lists. ``answer`` gives the optional column ``reasoning``.
"""

from collections.abc import Iterator
from typing import Any

from worldtune.domains.web.readers.webarena import item_lines, prompt_fields, split_answer
from worldtune.ingestion.rows import Format, Record, RowFault, optional_text, require_text

_LISTS = ("new_items", "deleted_items", "updated_items")


def convert(record: Record) -> Iterator[dict[str, Any] | RowFault]:
    """Yield the one row of a record. Raises RowFault where a marker or a list is missing."""
    values = record.values
    fields = prompt_fields(require_text(values, "question"), "question")
    answer = optional_text(values, "answer", "")
    parts = split_answer(answer)
    yield {
        **fields,
        **{name: item_lines(optional_text(values, name, "None")) for name in _LISTS},
        "task": str(values.get("task_id", "")),
        "step": values.get("step_idx"),
        "split": values.get("split"),
        "reasoning": parts.reasoning if parts else answer.strip(),
        "licence": "MIT",
    }


FORMAT = Format(kind="thuml_cot", needs=(("question", "answer", *_LISTS),), convert=convert)
