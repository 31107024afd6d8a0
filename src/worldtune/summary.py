"""The result of an evaluation as a few lines for the terminal."""

from collections.abc import Mapping
from typing import Any


def summarise(evaluation: Mapping[str, Any]) -> str:
    """The primary metric of every model and the gain of RLVR over SFT, one column per split.

    Args:
        evaluation: ``evaluation.json``.

    Returns:
        A table in plain text: means over all rows, greedy, with 95 % intervals; "n/a" if undefined.
    """
    metric, splits = evaluation["primary_metric"], evaluation["splits"]
    models = list(dict.fromkeys(model for split in splits.values() for model in split["models"]))
    rows = [["", *(f"{name} (n = {split['n']})" for name, split in splits.items())]]
    for model in models:
        scores = [split["models"].get(model, {}).get(metric) for split in splits.values()]
        rows.append([model, *(_show(score) for score in scores)])
    gains = [split["gain"].get("rlvr_minus_sft") for split in splits.values()]
    rows.append(["rlvr - sft", *(_show(gain, sign="+") for gain in gains)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    better = "higher" if evaluation["higher_is_better"] else "lower"
    title = f"{metric} on held-out rows, greedy, 95 % intervals ({better} is better)"
    return "\n".join([title, *lines])


def _show(estimate: Mapping[str, Any] | None, *, sign: str = "") -> str:
    """A mean with its interval: "0.651 [0.630, 0.672]"."""
    if estimate is None or estimate["mean"] is None:
        return "n/a"
    numbers = [estimate["mean"], *(estimate["ci95"] or ())]
    mean, *ends = (f"{number:{sign}.3f}" if number is not None else "n/a" for number in numbers)
    return f"{mean} [{', '.join(ends)}]" if ends else mean
