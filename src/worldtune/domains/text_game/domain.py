"""The text-game domain as the engine sees it: codec, reward and metrics behind one object."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from worldtune.config import Config, TextGameTaskConfig
from worldtune.contracts import Message, Row, Score
from worldtune.domains.text_game import answer, compact, examples, metrics, reference, reward
from worldtune.domains.text_game.reference_reward import reference_rewards
from worldtune.domains.text_game.state import Changes, State, diff, effective, states_of
from worldtune.errors import UserError


class MissingStateError(UserError):
    """A row lacks the state that the configured mode asks about."""


@dataclass(frozen=True)
class TextGameDomain:
    """State prediction for text games; rewards lie in [0, 1] (reference_task_specific: 1.3)."""

    task: TextGameTaskConfig
    name: str = "text_game"
    primary_metric: str = "f1"
    higher_is_better: bool = True
    token_pattern: str = compact.TOKEN_PATTERN
    group_name: str = "game"
    uncertain_subset: str = "undetermined"

    @property
    def mode(self) -> str:
        """Which part of the step is asked for."""
        return self.task.mode

    def prompt(self, row: Row) -> str | Sequence[Message]:
        """The state and the action in the configured layout."""
        self._check(row)
        if self.task.layout == "compact":
            return compact.prompt(row, self.mode)
        example = examples.example_for(row["game"], self.task.examples)
        return reference.prompt(row, mode=self.mode, answer=self.task.answer, example=example)

    def completion(self, row: Row) -> str:
        """The true answer in the configured layout, after the row's reasoning if that is asked."""
        before, after = self._states(row)
        reasoning = str(row.get("reasoning") or "") if self.task.reasoning else ""
        thought = f"{reasoning.rstrip()}\n" if reasoning else ""
        is_whole = self.task.answer == "state"
        if self.task.layout == "compact":
            changes = diff(before, after)
            text = compact.whole_state(after) if is_whole else compact.difference(changes, after)
            return f"{thought}{text}"
        written = (
            reference.write_state(after) if is_whole else reference.write_difference(before, after)
        )
        return f"{thought}{reference.MARKER}\n{written}"

    def decode(self, row: Row, completion: str) -> Changes | None:
        """The changes that a completion states, None if it is malformed."""
        return answer.read_changes(completion, self._states(row)[0])

    def score(self, row: Row, completion: str) -> Score:
        """The reward of a completion; 0 if malformed. Parts are those of the strict reward."""
        before, after = self._states(row)
        prediction = answer.read_changes(completion, before)
        kind = self.task.reward
        strict = "f1" if kind.startswith("reference_") else kind
        score = reward.score(strict, prediction, diff(before, after), before)
        if strict == kind:
            return score
        rewards = reference_rewards(completion, before, after)
        is_binary = kind == "reference_binary"
        return replace(score, total=rewards.binary if is_binary else rewards.task_specific)

    def metrics(self, row: Row, prediction: Changes | None) -> dict[str, float]:
        """precision, recall, f1 and exact match over items, each in [0, 1]."""
        before, after = self._states(row)
        return metrics.metrics(prediction, diff(before, after), before)

    def subsets(self, row: Row) -> frozenset[str]:
        """Changed or unchanged, determined or undetermined, and what changed the row."""
        is_changed = not diff(*self._states(row)).is_empty
        names = {
            "changed" if is_changed else "unchanged",
            "determined" if row["determined"] else "undetermined",
        }
        if self.mode == "full":
            by = row["changed_by"]
            names |= {f"by_{part}" for part in ("action", "tick") if by in (part, "both")}
            names |= {"by_score"} if row["score_changed"] else set()
        return frozenset(names)

    def group(self, row: Row) -> str:
        """The game."""
        return str(row["game"])

    def is_change(self, row: Row, prediction: Changes) -> bool:
        """Whether a prediction says that something changes; what is so already does not."""
        return not effective(prediction, self._states(row)[0]).is_empty

    def copy_prediction(self, row: Row) -> Changes:
        """The prediction that nothing changes."""
        return Changes()

    def item_spans(self, completion: str) -> list[tuple[int, int]]:
        """Character spans of the entries of a stated difference."""
        return answer.item_spans(completion) if self.task.answer == "difference" else []

    def _states(self, row: Row) -> tuple[State, State]:
        return states_of(row, self.mode)

    def _check(self, row: Row) -> None:
        if self.mode in ("action", "tick") and not row["action_state"]:
            raise MissingStateError(
                f"text_game.task.mode is {self.mode!r}, but rows of source {row['source']!r} do "
                "not tell the state after the action alone: set it to 'full' or 'score', or take "
                "a source that does (own, gpt_simulator)"
            )


def build(task: Config) -> TextGameDomain:
    """Build the domain from ``text_game.task``. Raises ExamplesError for unreadable examples."""
    if not isinstance(task, TextGameTaskConfig):
        raise TypeError(f"text_game.task must be a TextGameTaskConfig, found {type(task).__name__}")
    if task.examples:
        examples.examples(task.examples)
    return TextGameDomain(task)
