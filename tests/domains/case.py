"""What a domain brings to the tests of its contract."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from worldtune.config import Config
from worldtune.contracts import Domain, Row
from worldtune.domains import get_domain


@dataclass(frozen=True)
class Strategy:
    """An answer that ignores what its input means, and the highest mean score it may get."""

    name: str
    answer: Callable[[Row], str]
    limit: float


@dataclass(frozen=True)
class Case:
    """One configured domain with rows to score and answers of known worth.

    inputs: what a model is told of a row. worst: a readable answer that is wrong on every row.
    items: what a prediction holds, in the order in which ``item_spans`` finds it. top: the reward
    of the true answer to a row. floor: that of the worst one. signs: pieces that break answers.
    hostile: texts beyond those that every domain is tried with. itemised: whether items of an
    answer can be left out one by one.
    """

    domain: str
    task: Config
    rows: tuple[Row, ...]
    inputs: Callable[[Row], Any]
    worst: str
    unparsable: tuple[str, ...]
    items: Callable[[Any], list[Any]]
    strategies: tuple[Strategy, ...]
    signs: str
    hostile: Mapping[str, str]
    top: Callable[[Row], float] = lambda row: 1.0
    floor: Callable[[Row], float] = lambda row: 0.0
    itemised: bool = True

    def build(self) -> Domain:
        return get_domain(self.domain, self.task)
