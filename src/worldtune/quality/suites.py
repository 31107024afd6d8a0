"""Great Expectations suites from JSON, applied to a flat view of a table.

Suites lie in ``conf/base/expectations``. They see tables flattened: a list column ``x`` becomes the
count ``num_x``, flags become 0 and 1. Great Expectations takes seconds to import, so it is imported
by the first validation of a process and nowhere else; it sends nothing and draws no progress bars.
"""

import json
import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.utils import find_kedro_project

from worldtune.errors import UserError

MAX_EXAMPLES = 5
_MAX_EXAMPLE_CHARS = 80
_QUIET = frozenset({"column", "column_A", "column_B", "column_list", "batch_id"})
"""Arguments that name columns; they are shown apart from the conditions."""


class SuiteError(UserError):
    """A suite file is missing or is not a suite."""


@dataclass(frozen=True)
class ExpectationResult:
    """One expectation and how a table met it.

    expectation: its type and conditions in words. column: what it is about, "" for the whole table.
    num_unexpected: rows that break it (1 for a table-level failure, 0 if met). detail: what was
    found instead, "" if met.
    """

    expectation: str
    column: str
    is_met: bool
    num_unexpected: int
    examples: tuple[str, ...]
    detail: str


def resolve(path: str) -> Path:
    """A path relative to the Kedro project that holds the working directory (or this file)."""
    given = Path(path)
    if given.is_absolute():
        return given
    root = find_kedro_project(Path.cwd()) or find_kedro_project(Path(__file__).resolve().parent)
    return Path(root or Path.cwd()) / given


def load_suite(path: str) -> dict[str, Any]:
    """Read a suite ``{"name", "expectations": [{"type", "kwargs"}]}``. Raises SuiteError."""
    file = resolve(path)
    try:
        suite = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SuiteError(f"expectation suite {file} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise SuiteError(f"expectation suite {file} is not JSON: {error}") from error
    if not isinstance(suite, dict) or not {"name", "expectations"} <= suite.keys():
        raise SuiteError(f"expectation suite {file} needs the keys name and expectations")
    return suite


def flatten(frame: pd.DataFrame) -> pd.DataFrame:
    """The view that suites see: lists as counts ``num_*``, flags as 0 and 1, the rest as it is."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        values = frame[name]
        first = next((value for value in values if value is not None), None)
        if isinstance(first, list | tuple | np.ndarray):
            columns[f"num_{name}"] = [len(value) for value in values]
        elif values.dtype == bool:
            columns[name] = values.astype("int8")
        else:
            columns[name] = values
    return pd.DataFrame(columns, index=frame.index)


def check_table(frame: pd.DataFrame, suite: Mapping[str, Any]) -> list[ExpectationResult]:
    """Apply every expectation of a suite, in its order, to a table (list columns and all)."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read by the import, once
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Deprecations inside the library's own dependencies are not the reader's concern.
        warnings.simplefilter("ignore")
        outcomes = _validate(flatten(frame), suite)
    # Results come grouped by column; a suite's author sees them in the order of the file.
    outcomes.sort(key=lambda outcome: outcome.expectation_config.meta["position"])
    return [_read_outcome(outcome) for outcome in outcomes]


def _validate(frame: pd.DataFrame, suite: Mapping[str, Any]) -> list[Any]:
    import great_expectations as gx  # noqa: PLC0415  (seconds; see above)

    numbered = [
        {**expectation, "meta": {"position": position}}
        for position, expectation in enumerate(suite["expectations"])
    ]
    batch = _table_definition().get_batch({"dataframe": frame})
    result = batch.validate(gx.ExpectationSuite(name=suite["name"], expectations=numbered))
    return list(result.results)


@lru_cache(maxsize=1)
def _table_definition() -> Any:
    """A table in memory as the library wants it named; one context serves the whole process."""
    import great_expectations as gx  # noqa: PLC0415
    from great_expectations.data_context.types import base as data_context  # noqa: PLC0415

    # This one module sets its own level at import, below that of its package.
    logging.getLogger(data_context.__name__).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = data_context.ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("table")
    return asset.add_batch_definition_whole_dataframe("whole")


def _read_outcome(outcome: Any) -> ExpectationResult:
    config, result = outcome.expectation_config, outcome.result or {}
    conditions = {key: value for key, value in config.kwargs.items() if key not in _QUIET}
    words = config.type.removeprefix("expect_column_").removeprefix("expect_").replace("_", " ")
    examples = [
        str(value)[:_MAX_EXAMPLE_CHARS] for value in result.get("partial_unexpected_list", [])
    ]
    return ExpectationResult(
        expectation=f"{words} ({_listed(conditions)})" if conditions else words,
        column=_columns(config.kwargs),
        is_met=bool(outcome.success),
        num_unexpected=0 if outcome.success else int(result.get("unexpected_count") or 1),
        examples=tuple(dict.fromkeys(examples))[:MAX_EXAMPLES],
        detail="" if outcome.success else _detail(outcome),
    )


def _listed(conditions: Mapping[str, Any]) -> str:
    shown = {
        key: ", ".join(map(str, v)) if isinstance(v, list) else v for key, v in conditions.items()
    }
    return "; ".join(f"{key} {value}" for key, value in shown.items())


def _columns(kwargs: Mapping[str, Any]) -> str:
    if "column" in kwargs:
        return str(kwargs["column"])
    names = kwargs.get("column_list") or [
        kwargs[key] for key in ("column_A", "column_B") if key in kwargs
    ]
    return ", ".join(names)


def _detail(outcome: Any) -> str:
    """What was found: the library's own error (a missing column), an observed value, or a count."""
    message = _exception_message(outcome.exception_info)
    if message:
        return message
    result = outcome.result or {}
    if "unexpected_count" in result:
        return f"{result['unexpected_count']} of {result.get('element_count')} rows"
    if "details" in result and "mismatched" in result["details"]:
        return f"columns {result['details']['mismatched']}"
    return f"found {result.get('observed_value')}"


def _exception_message(info: Any) -> str:
    """Exceptions come flat, or nested once per metric."""
    if not isinstance(info, Mapping):
        return ""
    if "exception_message" in info:
        return str(info["exception_message"] or "").split("\n", 1)[0]
    return next((text for text in map(_exception_message, info.values()) if text), "")
