"""The floor: what a step costs if every product ran at the machine's matrix rate and nothing else.

FLOPs are counted from shapes, with every prompt encoded once and the last token of a completion
never fed. One product of an [m, k] and a [k, n] matrix is 2 m k n. With T fed tokens, N targets,
width H, vocabulary V and A visible (query, key) pairs, a step's training takes

    3 * (2 T * sum(in * out of the linear maps) * layers + 4 A H * layers + 2 N H V)

forward 1, backward 2; recomputing anything in the backward pass is not counted. Time of a product =
FLOPs over the rate of the same product (forward, by input, by weight) measured in the same run;
attention is charged at the best rate of the linear maps, which is lower than any real kernel needs.

Decoding takes, per token, every weight and every visible key and value once. A part costs the
larger of its FLOPs over the rate at that many rows and its bytes over the measured read bandwidth.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from benchmarks.meter import cpu_seconds
from benchmarks.shapes import Width

_HEAD_ROWS = 1024
"""Rows at which the output layer is measured; a step needs not hold all its logits."""


@dataclass(frozen=True)
class Work:
    """The arithmetic of one step.

    Attributes:
        width: the model.
        prompt_lengths: tokens of each prompt.
        group: completions per prompt.
        completion: tokens of each completion.
    """

    width: Width
    prompt_lengths: tuple[int, ...]
    group: int
    completion: int

    @property
    def rows(self) -> int:
        """Completions."""
        return len(self.prompt_lengths) * self.group

    @property
    def tokens(self) -> int:
        """Fed tokens of the training pass."""
        return sum(self.prompt_lengths) + self.rows * (self.completion - 1)

    @property
    def targets(self) -> int:
        """Completion tokens."""
        return self.rows * self.completion

    @property
    def prompt_pairs(self) -> int:
        """Visible (query, key) pairs within the prompts."""
        return sum(length * (length + 1) // 2 for length in self.prompt_lengths)

    @property
    def pairs(self) -> int:
        """Visible pairs of the training pass."""
        fed = self.completion - 1
        own = fed * (fed + 1) // 2
        return self.prompt_pairs + self.group * sum(n * fed + own for n in self.prompt_lengths)

    @property
    def training_flops(self) -> int:
        """Forward and backward."""
        return 3 * forward_flops(
            self.width, tokens=self.tokens, pairs=self.pairs, targets=self.targets
        )

    @property
    def generation_flops(self) -> int:
        """Prompts once, then one token at a time; every target needs its logits once."""
        decoded = self.rows * (self.completion - 1)
        tokens = sum(self.prompt_lengths) + decoded
        targets = len(self.prompt_lengths) + decoded
        return forward_flops(self.width, tokens=tokens, pairs=self.pairs, targets=targets)

    @property
    def padded_training_flops(self) -> int:
        """One padded row per completion with its own copy of the prompt, logits at completions."""
        length = max(self.prompt_lengths) + self.completion
        return 3 * forward_flops(
            self.width,
            tokens=self.rows * length,
            pairs=self.rows * length * (length + 1) // 2,
            targets=self.targets,
        )

    @property
    def cached_bytes(self) -> int:
        """Bytes of keys and values that decoding reads: a prompt's once per group and token."""
        fed = self.completion - 1
        positions = sum(self.prompt_lengths) * fed + self.rows * fed * (fed + 1) // 2
        return positions * 2 * self.width.kv_heads * self.width.head_dim * 4 * self.width.layers


def forward_flops(width: Width, *, tokens: int, pairs: int, targets: int) -> int:
    """FLOPs of a forward pass: linear maps, attention, output layer."""
    linear = 2 * tokens * sum(inputs * outputs for inputs, outputs in width.linears)
    attention = 4 * pairs * width.heads * width.head_dim
    return width.layers * (linear + attention) + 2 * targets * width.hidden * width.vocabulary


class _Products:
    """The three products of a linear map: output, gradient by input, gradient by weight."""

    def __init__(self, rows: int, inputs: int, outputs: int) -> None:
        self.states, self.weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
        self.result = torch.randn(rows, outputs)
        self.by_states, self.by_weight = torch.empty(rows, inputs), torch.empty(outputs, inputs)

    def forward(self) -> float:
        """CPU seconds of the output."""
        return cpu_seconds(lambda: torch.mm(self.states, self.weight.t(), out=self.result))

    def backward(self) -> float:
        """CPU seconds of both gradients."""
        return cpu_seconds(
            lambda: torch.mm(self.result, self.weight, out=self.by_states)
        ) + cpu_seconds(lambda: torch.mm(self.result.t(), self.states, out=self.by_weight))


@dataclass(frozen=True)
class Floor:
    """CPU seconds below which a part of the step cannot go on this machine, now."""

    training: float
    decoding: float
    prefill: float
    gflops: float
    read_gb_s: float

    @property
    def generation(self) -> float:
        """Prefill and decoding."""
        return self.prefill + self.decoding


class FloorMeter:
    """Measures the floor of one kind of step; call it right after each step that is compared."""

    def __init__(self, work: Work) -> None:
        self.work = work

    @cached_property
    def _stream(self) -> torch.Tensor:
        return torch.ones(64 * 2**20 // 4)

    def __call__(self) -> Floor:
        """Measure every product once, at its own shape."""
        work, width = self.work, self.work.width
        forward = backward = 0.0
        rates = []
        for inputs, outputs in width.linears:
            products = _Products(work.tokens, inputs, outputs)
            products.forward()
            ahead, back = products.forward(), products.backward()
            rates += [2 * work.tokens * inputs * outputs / ahead]
            rates += [4 * work.tokens * inputs * outputs / back]
            forward, backward = forward + ahead, backward + back
        head = _Products(_HEAD_ROWS, width.hidden, width.vocabulary)
        head.forward()
        output_layer = (head.forward() + head.backward()) * work.targets / _HEAD_ROWS
        best = max(rates)
        channels = width.heads * width.head_dim * width.layers
        training = (forward + backward) * width.layers + output_layer
        training += 12 * work.pairs * channels / best
        share = sum(work.prompt_lengths) / work.tokens
        prefill = forward * width.layers * share + 4 * work.prompt_pairs * channels / best
        bandwidth = self._bandwidth()
        return Floor(
            training, self._decoding(best, bandwidth), prefill, best / 1e9, bandwidth / 1e9
        )

    def _bandwidth(self) -> float:
        """Bytes a second of a sum over 64 MB, more than the caches of one core hold."""
        stream = self._stream
        stream.sum()
        return stream.numel() * 4 / cpu_seconds(stream.sum)

    def _decoding(self, best: float, bandwidth: float) -> float:
        """Seconds of all decoded tokens after the first."""
        work, width = self.work, self.work.width
        maps = [*width.linears * width.layers, (width.hidden, width.vocabulary)]
        products = [_Products(work.rows, *shape) for shape in maps]
        for one in products[:2]:
            one.forward()
        linear = sum(one.forward() for one in products)
        weight_bytes = 4 * sum(inputs * outputs for inputs, outputs in maps)
        per_token = max(linear, weight_bytes / bandwidth)
        pairs = work.pairs - work.prompt_pairs
        attention = 4 * pairs * width.heads * width.head_dim * width.layers / best
        return per_token * (work.completion - 1) + max(attention, work.cached_bytes / bandwidth)
