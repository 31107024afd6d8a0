"""Instruction data in the style of WMA agents: prompt text in, the three sections of changes out.

Either {instruction, input, output} (the Alpaca form, where the page may stand in ``instruction``)
or {question, answer}. Text before the first section header is kept as ``reasoning``.
"""

from collections.abc import Iterator
from typing import Any

from worldtune.domains.web.readers.webarena import prompt_fields, split_answer
from worldtune.ingestion.rows import Format, Record, RowFault, optional_text, require_text

_OPTIONAL = ("site", "task", "seed", "step", "split")


def convert(record: Record) -> Iterator[dict[str, Any] | RowFault]:
    """Yield the one row of a record. Raises RowFault where a marker or all sections are missing."""
    values = record.values
    if "question" in values:
        prompt, answer, column = (
            require_text(values, "question"),
            require_text(values, "answer"),
            "answer",
        )
    else:
        parts = [optional_text(values, name, "") for name in ("instruction", "input")]
        prompt, answer, column = "\n".join(parts), require_text(values, "output"), "output"
    fields = prompt_fields(prompt, "question" if column == "answer" else "instruction + input")
    parsed = split_answer(answer)
    if parsed is None:
        raise RowFault(
            "missing_field",
            f"{column} holds none of the headers 'New items:', 'Deleted items:', 'Updated items:'",
        )
    optional = {name: values.get(name) for name in _OPTIONAL}
    yield {**fields, **parsed.items, **optional, "reasoning": parsed.reasoning}


FORMAT = Format(
    kind="wma", needs=(("instruction", "input", "output"), ("question", "answer")), convert=convert
)
