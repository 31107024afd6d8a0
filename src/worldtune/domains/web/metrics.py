"""How right a predicted page change is, row by row: precision, recall, F1 and exact match."""

from collections import Counter
from collections.abc import Iterable

from worldtune.contracts import Row
from worldtune.domains.web.tree import Changes


def truth(row: Row) -> Changes:
    """The true changes of a row."""
    new, deleted, updated = row["new_items"], row["deleted_items"], row["updated_items"]
    return Changes(tuple(new), tuple(deleted), tuple(updated))


def _overlap(predicted: Iterable[str], true: Iterable[str]) -> int:
    return sum((Counter(predicted) & Counter(true)).values())


def metrics(prediction: Changes | None, true: Changes) -> dict[str, float]:
    """Compare item lines section by section, pooled over the three sections; all values in [0, 1].

    Lines match only if equal. A line that is predicted twice counts once as right; its repeat is a
    wrong item. Two empty changes agree perfectly; an empty and a non-empty one not at all; an
    unreadable prediction (None) scores 0.
    """
    if prediction is None:
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0, "exact": 0.0}
    if prediction.is_empty and true.is_empty:
        return {"precision": 1.0, "recall": 1.0, "f1": 1.0, "exact": 1.0}
    pairs = list(zip(prediction.sections, true.sections, strict=True))
    hits = sum(_overlap(predicted, wanted) for predicted, wanted in pairs)
    num_predicted = sum(len(predicted) for predicted, _ in pairs)
    num_true = sum(len(wanted) for _, wanted in pairs)
    return {
        "precision": hits / num_predicted if num_predicted else 0.0,
        "recall": hits / num_true if num_true else 0.0,
        "f1": 2 * hits / (num_predicted + num_true),
        "exact": float(hits == num_predicted == num_true),
    }


def subsets(row: Row) -> frozenset[str]:
    """The groups of rows that are reported apart.

    changed or unchanged; predictable (the input determines every line) or hidden (it does not).
    """
    changed = "changed" if row["changed"] else "unchanged"
    return frozenset({changed, "predictable" if row["predictable"] else "hidden"})
