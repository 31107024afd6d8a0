"""What a domain offers and what the engine asks for: the only types that both sides share.

A domain says what is true (how a row becomes a prompt, what a completion means, how right it is);
the engine says how to learn it. They meet in ``Domain`` and in the small frozen records below and
never import each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Row = Mapping[str, Any]
"""One transition of a domain's table; which columns it has is the domain's own business."""


@dataclass(frozen=True)
class Score:
    """The verifiable reward of one completion.

    total: the reward itself, in the range that the domain states. parts: named contributions or
    diagnostics, logged beside it. parsed: False if the completion could not be read at all.
    """

    total: float
    parts: Mapping[str, float] = field(default_factory=dict)
    parsed: bool = True


@dataclass(frozen=True)
class Message:
    """One turn of a chat prompt, as chat templates take it."""

    role: str
    content: str


Prompt = str | Sequence[Message]
"""The input of a model: plain text, or messages for a chat template."""


def turns(prompt: Prompt) -> Sequence[Message]:
    """A prompt as messages: plain text is what the user says."""
    return (Message("user", prompt),) if isinstance(prompt, str) else prompt


class Domain(Protocol):
    """A world-model task over text: rows in, verifiable scores out. Pure, seeded, no I/O."""

    name: str
    primary_metric: str
    higher_is_better: bool
    token_pattern: str
    """Regular expression of one pre-token, for tokenizers trained from scratch."""
    group_name: str
    """What a group of rows is called in reports ("site"), see ``group``."""
    uncertain_subset: str
    """The subset of rows whose outcome the input leaves partly open, and the word for it."""

    def prompt(self, row: Row) -> Prompt:
        """The input of the model: plain text, or messages for the tokenizer's chat template."""

    def completion(self, row: Row) -> str:
        """The true outcome, written the way the model is asked to write it."""

    def decode(self, row: Row, completion: str) -> Any | None:
        """The prediction that a completion states, None if it cannot be read. Never raises."""

    def score(self, row: Row, completion: str) -> Score:
        """The reward of a completion. Never raises; unreadable completions get the floor."""

    def metrics(self, row: Row, prediction: Any | None) -> dict[str, float]:
        """The paper's metrics of one prediction; always the same keys, primary metric included."""

    def subsets(self, row: Row) -> frozenset[str]:
        """Names of the groups of rows that are reported apart (such as "changed")."""

    def group(self, row: Row) -> str:
        """Where the row comes from; every row is in one group, and groups are reported apart."""

    def is_change(self, row: Row, prediction: Any) -> bool:
        """Whether a prediction, as ``decode`` gives it and not None, says that anything changes."""

    def copy_prediction(self, row: Row) -> Any:
        """The prediction of the trivial model: nothing changes."""

    def item_spans(self, completion: str) -> list[tuple[int, int]]:
        """Character spans of the items that can be left out without breaking the rest."""
