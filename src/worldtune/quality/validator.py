"""The catalog's ``validator:`` key, answered by Great Expectations.

    validator:
      class: worldtune.quality.validator.ExpectationsValidator
      "on": [save]
      options: {suite: "conf/base/expectations/web_transitions.json"}

A table that breaks its suite is not stored, and the run stops. ``KEDRO_DATASET_VALIDATION=0``
switches all validators off (Kedro reads it).
"""

from typing import Any

import pandas as pd
from kedro.validation.exceptions import CheckFailure, DataValidationError

from worldtune.quality.suites import ExpectationResult, check_table, load_suite


class ExpectationsValidator:
    """Checks a table against one suite; stateless, hence safe for concurrent saves."""

    def __init__(self, *, suite: str) -> None:
        """Remember where the suite lies: a path relative to the project root."""
        self._suite = suite

    def validate(self, data: Any) -> Any:
        """Return the data unchanged.

        Raises:
            DataValidationError: one failure per expectation that is not met, with examples.
            SuiteError: the suite cannot be read.
        """
        if not isinstance(data, pd.DataFrame):
            raise DataValidationError(f"expected a pandas table, found {type(data).__name__}")
        suite = load_suite(self._suite)
        failures = [_failure(result) for result in check_table(data, suite) if not result.is_met]
        if failures:
            raise DataValidationError(f"suite {suite['name']} is not met", failures=failures)
        return data


def _failure(result: ExpectationResult) -> CheckFailure:
    return CheckFailure(
        message=f"{result.column or 'table'}: {result.expectation}: {result.detail}",
        check=f"{result.expectation}: {result.detail}",
        column=result.column or None,
        failure_count=result.num_unexpected,
        failure_examples=list(result.examples),
    )
