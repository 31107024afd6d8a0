"""What is asked of a rollout engine and what it answers.

Text and visual tokens alike: a ``GenPlan`` may force tokens (actions between frames), restrict the
vocabulary per position and fix the length. ``RolloutEngine`` is the seam behind which another
engine may stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from worldtune.engine.rollout.sampling import Sampling


@dataclass(frozen=True)
class TokenSpec:
    """The vocabulary: size, special ids, and named id ranges (such as visual tokens)."""

    vocab_size: int
    pad: int
    eos: int | None
    bos: int | None = None
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class GenPlan:
    """What a completion may look like; shared by the batch or, for ``forced``, given per prompt.

    Attributes:
        max_new: most tokens of a completion, >= 1.
        forced: [prompts, max_new] token ids that are given, -1 where the model chooses; or None.
        allowed: [max_new] which row of ``masks`` restricts each position; or None.
        masks: [masks, vocabulary] True where a token is allowed; or None.
        stop: ids that end a completion (and belong to it); empty fixes the length to ``max_new``.
    """

    max_new: int
    forced: Tensor | None = None
    allowed: Tensor | None = None
    masks: Tensor | None = None
    stop: frozenset[int] = frozenset()

    def check(self, num_prompts: int) -> None:
        """Raise ValueError where the plan contradicts itself or the number of prompts."""
        if self.max_new < 1:
            raise ValueError(f"GenPlan.max_new is {self.max_new}; it must be at least 1")
        shape = (num_prompts, self.max_new)
        if self.forced is not None and self.forced.shape != shape:
            raise ValueError(
                f"GenPlan.forced has shape {tuple(self.forced.shape)}; {num_prompts} prompts and "
                f"{self.max_new} new tokens need {shape}"
            )
        if (self.masks is None) != (self.allowed is None):
            raise ValueError("GenPlan.masks and GenPlan.allowed belong together; give both or none")
        if self.masks is not None and not bool(self.masks.any(dim=-1).all()):
            raise ValueError("a row of GenPlan.masks allows no token; allow one at least")
        if self.allowed is not None and self.allowed.shape != shape[1:]:
            raise ValueError(
                f"GenPlan.allowed has shape {tuple(self.allowed.shape)}; name a mask for each of "
                f"the {self.max_new} positions"
            )


@dataclass(frozen=True)
class Rollouts:
    """Completions, ordered by prompt; rows are prompts times samples.

    Attributes:
        ids: [rows, longest] token ids, padded.
        lengths: [rows] tokens of each completion, stop token included.
        logp: [rows, longest] float32 (float64 of a float64 model), nats under the distribution that
            was sampled; 0 at forced tokens and padding.
        loss_mask: [rows, longest] True where the model chose the token.
        group: [rows] index of the prompt.
        finished: [rows] False where the completion was cut at ``max_new``.
        weight_version: of the weights that sampled.
    """

    ids: Tensor
    lengths: Tensor
    logp: Tensor
    loss_mask: Tensor
    group: Tensor
    finished: Tensor
    weight_version: int = 0

    def completion(self, row: int) -> list[int]:
        """Token ids of one completion."""
        ids: list[int] = self.ids[row, : int(self.lengths[row])].tolist()
        return ids


class RolloutEngine(Protocol):
    """Something that samples completions."""

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        prompt_ids: Sequence[int],
        *,
        group: int,
        plan: GenPlan,
        sampling: Sampling,
    ) -> Rollouts:
        """Sample ``group`` completions of every prompt; prompt_ids are their stable counters."""

    def update_weights(self, version: int) -> None:
        """Take over the policy's current weights, known from now on as ``version``."""
