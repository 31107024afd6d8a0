"""How a transformer is run: one seam, behind which a faster or a more general way may stand.

Training asks for the hidden states that predict the targets of a packed batch; rollouts ask for the
state after each prompt and then for one state per new token. All paths are exact: a completion sees
its whole prompt and its own past, nothing else, as if it had a copy of the prompt to itself.
"""

from collections.abc import Sequence
from typing import Any, Protocol, cast

from torch import Tensor, nn
from transformers import PreTrainedModel

from worldtune.engine.model.batch import PackedBatch


class Decoder(Protocol):
    """Rollouts in progress: ``samples`` rows per prompt, ordered by prompt, one position a step."""

    def step(self, tokens: Tensor) -> Tensor:
        """Feed one token per row [rows]; returns the next hidden states [rows, width]."""

    def keep(self, groups: Tensor, rows: Tensor) -> None:
        """Compact to the given groups and rows (indices into the current ones).

        Rows stay ordered by group, the same number for each group.
        """


class Path(Protocol):
    """A way to run the transformer below the output layer (final norm included)."""

    name: str

    def states(self, batch: PackedBatch) -> Tensor:
        """The hidden state that predicts each target of the batch: [targets, width]."""

    def prefill(
        self, prompts: Sequence[Sequence[int]], *, samples: int, max_new: int
    ) -> tuple[Tensor, Decoder]:
        """Encode each prompt once; the state of its last token [prompts, width], and a decoder."""


def unwrapped(model: nn.Module) -> PreTrainedModel:
    """The transformers model itself, below a wrapper of adapters; it shares the parameters."""
    adapted: Any = model
    return cast(
        "PreTrainedModel", adapted.get_base_model() if hasattr(adapted, "get_base_model") else model
    )
