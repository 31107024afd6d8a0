"""How sure a model is of each item it predicts, and answers without the items it is not sure of.

The control that RLVR has to be measured against where outcomes are uncertain: leaving out items
below a threshold of probability, tuned on validation rows, needs no reinforcement learning.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from worldtune.engine.task.predict import Completion
from worldtune.engine.task.text_task import Example, TextTask

THRESHOLDS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8)
"""Candidates, as probabilities of a whole item; 0 keeps everything."""


@dataclass(frozen=True)
class ItemisedAnswer:
    """A completion as text, with the character span and the probability of each of its items."""

    text: str
    spans: tuple[tuple[int, int], ...]
    probabilities: tuple[float, ...]

    def without_unsure(self, threshold: float) -> str:
        """The text without the items whose probability is below the threshold."""
        text = self.text
        for (start, end), probability in reversed(
            list(zip(self.spans, self.probabilities, strict=True))
        ):
            if probability < threshold:
                text = text[:start] + text[end:]
        return text


def itemise(task: TextTask, completion: Completion) -> ItemisedAnswer:
    """Find the items of a completion; an item's probability is the product of its tokens'."""
    text = task.text(completion.ids)
    tokens = task.token_spans(completion.ids)
    spans = sorted(task.domain.item_spans(text))
    probabilities = []
    for start, end in spans:
        logp = [
            p for (a, b), p in zip(tokens, completion.logp, strict=True) if a < end and b > start
        ]
        probabilities.append(math.exp(sum(logp)))
    return ItemisedAnswer(text, tuple(spans), tuple(probabilities))


def tune_threshold(
    task: TextTask, examples: Sequence[Example], answers: Sequence[ItemisedAnswer]
) -> float:
    """The candidate with the best mean of the domain's primary metric; ties go to the smaller."""
    domain = task.domain
    sign = 1 if domain.higher_is_better else -1

    def mean_score(threshold: float) -> float:
        return sum(
            sign
            * domain.metrics(
                example.row, domain.decode(example.row, answer.without_unsure(threshold))
            )[domain.primary_metric]
            for example, answer in zip(examples, answers, strict=True)
        )

    return max(THRESHOLDS, key=lambda threshold: (mean_score(threshold), -threshold))
