"""From a completion to its reward: weighted parts, further functions, a time limit, a floor.

The domain's score is the reward unless weights say otherwise. Scoring code may fail: a completion
whose scoring raises, takes too long or gives no finite number earns the floor and is counted, and
training goes on. Nothing here needs torch, so that an exported reward function is this very code.
"""

import inspect
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from worldtune.config import OverlongConfig, RewardConfig
from worldtune.contracts import Domain, Row, Score
from worldtune.engine.runtime.time_limit import TimeLimitError, call_within
from worldtune.errors import ParameterError

if TYPE_CHECKING:
    from worldtune.engine.task.predict import Completion
    from worldtune.engine.task.text_task import Example, TextTask

logger = logging.getLogger(__name__)

RewardFunction = Callable[[Row, str], float | Score]
"""Row and completion to a reward."""
Failure = Literal["error", "timeout"]
"""Why a completion could not be scored."""

TOTAL = "total"
"""The domain's own reward, beside the names of its parts."""


@dataclass(frozen=True)
class Scored:
    """The reward of one completion.

    Attributes:
        total: the reward, finite.
        parts: what it was made from and the domain's diagnostics, by name, finite.
        parsed: False if the completion could not be read or not be scored.
        truncated: whether it was cut off at max_new_tokens.
        error: why it could not be scored, None where it could.
    """

    total: float
    parts: Mapping[str, float] = field(default_factory=dict)
    parsed: bool = True
    truncated: bool = False
    error: Failure | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """What is averaged over completions for the log; shares in [0, 1] beside the parts."""
        return {
            **{f"reward/{name}": value for name, value in self.parts.items()},
            "reward/errors": float(self.error == "error"),
            "reward/timeouts": float(self.error == "timeout"),
            "parse_failure_rate": float(not self.parsed),
            "completion/truncated": float(self.truncated),
        }


def average(scores: Iterable[Scored]) -> dict[str, float]:
    """Means of ``Scored.metrics``; of a part over the completions that have it."""
    values: dict[str, list[float]] = {}
    for score in scores:
        for name, value in score.metrics.items():
            values.setdefault(name, []).append(value)
    return {name: math.fsum(column) / len(column) for name, column in values.items()}


def overlong_penalty(
    length: int, *, max_new_tokens: int, buffer_tokens: int, penalty: float
) -> float:
    """What a long completion costs, in [0, penalty] (soft overlong punishment, DAPO, eq. 13).

    Nothing up to ``max_new_tokens - buffer_tokens`` tokens, then linearly more, ``penalty`` at
    ``max_new_tokens``. A buffer of 0 costs nothing.
    """
    if buffer_tokens == 0:
        return 0.0
    excess = length - (max_new_tokens - buffer_tokens)
    return penalty * min(max(excess / buffer_tokens, 0.0), 1.0)


def enters_loss(scored: Scored, overlong: OverlongConfig) -> bool:
    """Whether a completion is learnt from; it counts in its group's statistics either way."""
    return not (overlong.mask_truncated and scored.truncated)


class Rewards:
    """The rewards of a domain as the parameters ``<domain>.rlvr.reward`` put them together."""

    def __init__(self, domain: Domain, config: RewardConfig) -> None:
        """Load the functions. Raises ParameterError naming the key where one cannot be had."""
        self.domain, self.config = domain, config
        self._key = f"{domain.name}.rlvr.reward"
        self._functions = {
            path.replace(":", "."): (load_function(path, key=f"{self._key}.functions"), weight)
            for path, weight in config.functions.items()
        }
        self._has_known_parts = not config.weights
        self._logged: set[tuple[str, type[BaseException]]] = set()

    def score(self, row: Row, text: Callable[[], str] | str) -> Scored:
        """The reward of a completion; the floor where scoring fails.

        Raises:
            ParameterError: a weight belongs to no part of the domain's score. Checked once, on the
                true completion of the first row.
        """
        self._check_weights(row)
        return self._guarded(self._score, row, text)

    def _score(self, row: Row, text: Callable[[], str] | str) -> Scored:
        completion = text if isinstance(text, str) else text()
        score = self.domain.score(row, completion)
        total, parts, parsed = score.total, dict(score.parts), score.parsed
        if self.config.weights:
            known = {TOTAL: score.total, **parts}
            weighted = ((name, weight) for name, weight in self.config.weights.items() if weight)
            total = sum(weight * known.get(name, 0.0) for name, weight in weighted)
        for name, (function, weight) in self._functions.items():
            result = function(row, completion)
            further = result if isinstance(result, Score) else Score(float(result))
            total += weight * further.total
            parsed = parsed and further.parsed
            parts[name] = further.total
            parts |= {f"{name}/{part}": value for part, value in further.parts.items()}
        if not math.isfinite(total):
            raise ArithmeticError(f"the reward is {total}, expected a finite number; of {parts}")
        finite = {name: float(value) for name, value in parts.items() if math.isfinite(value)}
        return Scored(float(total), finite, parsed)

    def _guarded(self, score: Callable[..., Scored], *arguments: Any) -> Scored:
        """``score(*arguments)``; whatever goes wrong in it becomes the floor."""
        try:
            return call_within(self.config.time_limit_s, score, *arguments)
        except TimeLimitError as error:
            return self._failed("timeout", error)
        # A reward function may even call sys.exit; only the user's own interrupt stops the run.
        except (Exception, SystemExit) as error:
            return self._failed("error", error)

    def _failed(self, kind: Failure, error: BaseException) -> Scored:
        if (kind, type(error)) not in self._logged:
            self._logged.add((kind, type(error)))
            limit = f"took longer than {self._key}.time_limit_s = {self.config.time_limit_s:g}"
            logger.warning(
                "Scoring a completion %s; it earns the floor, %g. Shown once per kind of error, "
                "counted in reward/%ss.",
                limit if kind == "timeout" else "failed",
                self.config.floor,
                kind,
                exc_info=error,
            )
        return Scored(self.config.floor, parsed=False, error=kind)

    def _check_weights(self, row: Row) -> None:
        """Stop at a misspelt weight; where the true completion fails too, ask the next row."""
        if self._has_known_parts:
            return
        parts: list[str] = []

        def ask() -> Scored:
            parts.extend((TOTAL, *self.domain.score(row, self.domain.completion(row)).parts))
            return Scored(0.0)

        self._has_known_parts = self._guarded(ask).error is None
        unknown = [name for name in self.config.weights if name not in parts]
        if self._has_known_parts and unknown:
            raise ParameterError(
                f"{self._key}.weights: {', '.join(map(repr, unknown))} is no part of the score of "
                f"{self.domain.name}. Known parts: {', '.join(parts)}."
            )


class Scorer:
    """Rewards of sampled completions: decoded, scored, shaped by length."""

    def __init__(
        self,
        task: "TextTask",
        reward: RewardConfig,
        overlong: OverlongConfig,
        max_new_tokens: int,
    ) -> None:
        """Load the reward functions. Raises ParameterError where one cannot be had."""
        self.task, self.overlong, self.max_new_tokens = task, overlong, max_new_tokens
        self.rewards = Rewards(task.domain, reward)

    def score(self, example: "Example", completion: "Completion") -> Scored:
        """The reward of a completion. Raises ParameterError for weights of unknown parts."""
        scored = self.rewards.score(example.row, lambda: self.task.text(completion.ids))
        truncated = not completion.finished
        if scored.error or not self.overlong.buffer_tokens:
            return Scored(scored.total, scored.parts, scored.parsed, truncated, scored.error)
        penalty = overlong_penalty(
            len(completion.ids),
            max_new_tokens=self.max_new_tokens,
            buffer_tokens=self.overlong.buffer_tokens,
            penalty=self.overlong.penalty,
        )
        parts = {**scored.parts, "overlong": -penalty}
        return Scored(scored.total - penalty, parts, scored.parsed, truncated)


def load_function(path: str, *, key: str) -> RewardFunction:
    """The reward function ``package.module:function``, called as ``function(row, completion)``.

    Raises:
        ParameterError: it cannot be imported or does not take a row and a completion.
    """
    module_name, colon, name = path.partition(":")
    if not (module_name and colon and name):
        raise ParameterError(f"{key}: found {path!r}, expected package.module:function")
    try:
        module = import_module(module_name)
    except Exception as error:
        raise ParameterError(
            f"{key}.{path}: module {module_name} cannot be imported ({type(error).__name__}: "
            f"{error}). Install it, or put its folder on PYTHONPATH."
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        found = "nothing" if function is None else f"a {type(function).__name__}"
        raise ParameterError(
            f"{key}.{path}: found {found} called {name} in {module.__file__}, expected a function "
            "of row and completion"
        )
    try:
        inspect.signature(function).bind({}, "")
    except TypeError as error:
        raise ParameterError(
            f"{key}.{path}: it is called as {name}(row, completion), but {error}"
        ) from error
    except ValueError:
        pass  # functions in C may have no signature to look at
    loaded: RewardFunction = function
    return loaded
