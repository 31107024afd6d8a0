"""Verifiable rewards of a predicted step, in our strict form: in [0, 1], 1 for the truth alone.

Additions are applied, inventions and what is not removed count, uuids are compared both ways.
``f1``: F1 over items. ``exact``: all or nothing (the paper's binary reward, section 4.1).
``shaped``: the paper's task-specific reward with its weights, rid of what makes it uneven there:
its middle term is the F1 of the items, which is defined for unchanged rows too, so that all rows
share one scale. The forms that reproduce the paper's code are in ``reference_reward``.
"""

from worldtune.contracts import Score
from worldtune.domains.text_game.metrics import metrics
from worldtune.domains.text_game.state import Changes, State, apply

WEIGHT_ALL, WEIGHT_CHANGED, WEIGHT_EXACT = 0.1, 1.0, 0.2
"""a1, a2 and a3 of the paper (section 4.1); divided by their sum here."""


def score(kind: str, prediction: Changes | None, true: Changes, before: State) -> Score:
    """The reward of a prediction with its parts; ``format`` is 1 for a readable answer."""
    values = metrics(prediction, true, before)
    parts = {name: values[name] for name in ("precision", "recall", "f1", "exact")}
    parts["format"] = float(prediction is not None)
    if kind == "shaped":
        total = 0.0 if prediction is None else _shaped(values, prediction, true, before)
    else:
        total = values[kind]
    return Score(total, parts, parsed=prediction is not None)


def _shaped(values: dict[str, float], prediction: Changes, true: Changes, before: State) -> float:
    weighted = (
        WEIGHT_ALL * agreement(apply(before, prediction), apply(before, true))
        + WEIGHT_CHANGED * values["f1"]
        + WEIGHT_EXACT * values["exact"]
    )
    return weighted / (WEIGHT_ALL + WEIGHT_CHANGED + WEIGHT_EXACT)


def agreement(predicted: State, true: State) -> float:
    """Share in [0, 1] of facts of two states that both have, over facts that either has."""
    first, second = facts(predicted), facts(true)
    return len(first & second) / len(first | second) if first or second else 1.0


def facts(state: State) -> frozenset[str]:
    """Every property of every object and every key of the score, as text."""
    whole = Changes(
        modified=tuple(
            (uuid, name, value)
            for uuid, properties in state.properties.items()
            for name, value in properties.items()
        ),
        score=tuple(state.score.items()),
    )
    return whole.items
