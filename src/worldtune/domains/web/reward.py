"""Verifiable rewards of a predicted page change (paper, section 4.2): F1 over item lines.

``score`` is the corrected form: "None" is no item, nothing versus nothing is 1, unreadable is 0.
``reference_f1`` reproduces the scorer that the paper's numbers were made with, defects included, so
that results can be compared; do not train with it (an answer of three times "None" scores 0.67 on a
row in which exactly one item appears).
"""

from worldtune.contracts import Score
from worldtune.domains.web.metrics import metrics
from worldtune.domains.web.tree import Changes

_HEADERS = ("New items:", "Deleted items:", "Updated items:")


def score(prediction: Changes | None, true: Changes) -> Score:
    """F1 in [0, 1] with its parts; ``format`` is 1 for a readable answer."""
    values = metrics(prediction, true)
    parsed = prediction is not None
    parts = {name: values[name] for name in ("precision", "recall")} | {"format": float(parsed)}
    return Score(values["f1"], parts, parsed)


def _reference_sets(text: str) -> list[set[str]]:
    sections: list[set[str]] = [set(), set(), set()]
    current: set[str] | None = None
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped.startswith(_HEADERS):
            current = sections[next(i for i, h in enumerate(_HEADERS) if stripped.startswith(h))]
        elif stripped and current is not None:
            current.add(stripped)
    return sections


def reference_f1(prediction: str, target: str) -> float:
    """F1 in [0, 1] of two answer texts as the paper's code computes it, to the last digit.

    Every line after the first header is an item of the current section, "None" included; sections
    are sets and accumulate when a header repeats; true positives are pooled set intersections.
    """
    predicted, wanted = _reference_sets(prediction), _reference_sets(target)
    hits = sum(len(p & w) for p, w in zip(predicted, wanted, strict=True))
    num_predicted, num_true = sum(map(len, predicted)), sum(map(len, wanted))
    precision = hits / num_predicted if num_predicted else 0.0
    recall = hits / num_true if num_true else 0.0
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)
