"""How right a prediction is, row by row: precision, recall, F1 over items, and exact match."""

from worldtune.domains.text_game.state import Changes, State, effective


def metrics(prediction: Changes | None, true: Changes, before: State) -> dict[str, float]:
    """Compare the items of two changes of one state; all values in [0, 1].

    An item is a changed property of one object, an added or a removed object, or a key of the
    score. Stating what is so already costs nothing; inventions cost precision; the rest of an
    object's properties is not compared again and again. Two empty changes agree perfectly, an empty
    and a non-empty one not at all; an unreadable prediction (None) scores 0.
    """
    if prediction is None:
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0, "exact": 0.0}
    predicted, wanted = effective(prediction, before).items, true.items
    if not predicted and not wanted:
        return {"precision": 1.0, "recall": 1.0, "f1": 1.0, "exact": 1.0}
    hits = len(predicted & wanted)
    return {
        "precision": hits / len(predicted) if predicted else 0.0,
        "recall": hits / len(wanted) if wanted else 0.0,
        "f1": 2 * hits / (len(predicted) + len(wanted)),
        "exact": float(predicted == wanted),
    }
