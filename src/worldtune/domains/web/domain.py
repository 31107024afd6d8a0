"""The web domain as the engine sees it: codec, reward and metrics behind ``contracts.Domain``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from worldtune.config import Config, WebTaskConfig
from worldtune.contracts import Message, Row, Score
from worldtune.domains.web import compact, metrics, reward, zero_shot
from worldtune.domains.web.tree import Changes

TOKEN_PATTERN = r"\n\t*[+\-~]?| \[\d+\]| ?[A-Za-z]+[:=]?| ?\d+| ?[^\sA-Za-z\d]|\s"
"""One element id, word, number, attribute key or line break with its depth is one pre-token."""


@dataclass(frozen=True)
class WebDomain:
    """Accessibility-tree changes; rewards lie in [0, 1]."""

    layout: str
    reward: str
    name: str = "web"
    primary_metric: str = "f1"
    higher_is_better: bool = True
    token_pattern: str = TOKEN_PATTERN
    group_name: str = "site"
    uncertain_subset: str = "hidden"

    def prompt(self, row: Row) -> str | Sequence[Message]:
        """The page and the action in the configured layout."""
        return compact.prompt(row) if self.layout == "compact" else zero_shot.prompt(row)

    def completion(self, row: Row) -> str:
        """The true changes in the configured layout."""
        write = compact.completion if self.layout == "compact" else zero_shot.completion
        return write(row)

    def decode(self, row: Row, completion: str) -> Changes | None:
        """The changes that a completion states, None if it is malformed."""
        if self.layout == "compact":
            return compact.decode(row, completion)
        return zero_shot.decode(completion)

    def score(self, row: Row, completion: str) -> Score:
        """The reward of a completion in [0, 1]; 0 if malformed.

        The reference scorer also gives part of the credit for some malformed answers, as it did in
        the paper, but none for oversized ones. Parts are those of the corrected reward.
        """
        truth = metrics.truth(row)
        score = reward.score(self.decode(row, completion), truth)
        if self.reward == "f1" or zero_shot.is_oversized(completion):
            return score
        return replace(score, total=reward.reference_f1(completion, zero_shot.render(truth)))

    def metrics(self, row: Row, prediction: Changes | None) -> dict[str, float]:
        """precision, recall, f1 and exact match, each in [0, 1]."""
        return metrics.metrics(prediction, metrics.truth(row))

    def subsets(self, row: Row) -> frozenset[str]:
        """Which of changed / unchanged and predictable / hidden the row belongs to."""
        return metrics.subsets(row)

    def group(self, row: Row) -> str:
        """The site that the page belongs to."""
        return str(row["site"])

    def is_change(self, row: Row, prediction: Changes) -> bool:
        """Whether the prediction holds any line."""
        return not prediction.is_empty

    def copy_prediction(self, row: Row) -> Changes:
        """The prediction that nothing changes."""
        return Changes()

    def item_spans(self, completion: str) -> list[tuple[int, int]]:
        """Character spans of the predicted item lines (or ids, for compact deletions)."""
        spans = compact.item_spans if self.layout == "compact" else zero_shot.item_spans
        return spans(completion)


def build(task: Config) -> WebDomain:
    """Build the domain from ``web.task``. The reference scorer reads only the paper's layout."""
    if not isinstance(task, WebTaskConfig):
        raise TypeError(f"web.task must be a WebTaskConfig, found {type(task).__name__}")
    if task.reward == "reference_f1" and task.layout != "zero_shot":
        raise ValueError(
            "web.task.reward is 'reference_f1', which scores the paper's answer format: "
            "set web.task.layout to 'zero_shot' or web.task.reward to 'f1'"
        )
    return WebDomain(layout=task.layout, reward=task.reward)
