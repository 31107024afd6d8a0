"""The floor: what a step costs if every product ran at the machine's matrix rate and nothing else.

FLOPs are counted from shapes. Every prompt is encoded once, the last token of a completion is never
fed, and in the last layer only positions that predict a target need more than keys and values. One
product of an [m, k] and a [k, n] matrix is 2 m k n. With T fed tokens, S of which predict, N
targets, A visible (query, key) pairs, B of them with a query that predicts, L layers, width H,
vocabulary V, K weights of the maps to keys and values and M of the other maps of a layer, training
takes

    3 * (2 T (K + M) (L - 1) + 2 T K + 2 S M  +  4 H (A (L - 1) + B)  +  2 N H V)

forward 1, backward 2; recomputing anything in the backward pass is not counted. Time of a product =
FLOPs over the rate of the same product (forward, by input, by weight) measured in the same run;
attention is charged at the best rate of the linear maps, which is lower than real kernels can go:
they make the weights twice, and exponentials.

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
    def last_pairs(self) -> int:
        """Visible pairs of the last layer: of a prompt, only its last token asks there."""
        return self.pairs - self.prompt_pairs + sum(self.prompt_lengths)

    @property
    def decoded(self) -> int:
        """Fed tokens of the completions; all but the first that is drawn for each needs one."""
        return self.rows * (self.completion - 1)

    @property
    def training_flops(self) -> int:
        """Forward and backward."""
        return 3 * forward_flops(
            self.width,
            tokens=self.tokens,
            pairs=self.pairs,
            targets=self.targets,
            sources=len(self.prompt_lengths) + self.decoded,
            last_pairs=self.last_pairs,
        )

    @property
    def prefill_flops(self) -> int:
        """Prompts to the logits of their last tokens."""
        count, total = len(self.prompt_lengths), sum(self.prompt_lengths)
        return forward_flops(
            self.width,
            tokens=total,
            pairs=self.prompt_pairs,
            targets=count,
            sources=count,
            last_pairs=total,
        )

    @property
    def generation_flops(self) -> int:
        """Prompts once, then one token at a time."""
        pairs = self.pairs - self.prompt_pairs
        return self.prefill_flops + forward_flops(
            self.width, tokens=self.decoded, pairs=pairs, targets=self.decoded
        )

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


def forward_flops(
    width: Width,
    *,
    tokens: int,
    pairs: int,
    targets: int,
    sources: int | None = None,
    last_pairs: int | None = None,
) -> int:
    """FLOPs of a forward pass: linear maps, attention, output layer.

    ``sources`` and ``last_pairs`` are the positions and pairs that the last layer needs in full;
    None for all.
    """
    keys_values = sum(inputs * outputs for inputs, outputs in width.keys_values)
    others = sum(inputs * outputs for inputs, outputs in width.other_maps)
    full = width.layers - 1
    sources = tokens if sources is None else sources
    last_pairs = pairs if last_pairs is None else last_pairs
    linear = 2 * (tokens * (keys_values + others) * full + tokens * keys_values + sources * others)
    attention = 4 * width.heads * width.head_dim * (pairs * full + last_pairs)
    return linear + attention + 2 * targets * width.hidden * width.vocabulary


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
        total, count = sum(work.prompt_lengths), len(work.prompt_lengths)
        full, training, prefill, best = width.layers - 1, 0.0, 0.0, 0.0
        kinds = [(one, True) for one in width.keys_values]
        kinds += [(one, False) for one in width.other_maps]
        for (inputs, outputs), is_for_all in kinds:
            products = _Products(work.tokens, inputs, outputs)
            products.forward()
            ahead, back = products.forward(), products.backward()
            rate = 2 * work.tokens * inputs * outputs
            best = max(best, rate / ahead, 2 * rate / back)
            fed = work.tokens * full + (work.tokens if is_for_all else count + work.decoded)
            training += (ahead + back) / work.tokens * fed
            prefill += ahead / work.tokens * (total * full + (total if is_for_all else count))
        head = _Products(_HEAD_ROWS, width.hidden, width.vocabulary)
        head.forward()
        training += (head.forward() + head.backward()) * work.targets / _HEAD_ROWS
        pair = 4 * width.heads * width.head_dim
        training += 3 * pair * (work.pairs * full + work.last_pairs) / best
        prefill += pair * (work.prompt_pairs * full + total) / best
        bandwidth = self._bandwidth()
        decoding = self._decoding(best, bandwidth)
        return Floor(training, decoding, prefill, best / 1e9, bandwidth / 1e9)

    def _bandwidth(self) -> float:
        """Bytes a second of a sum over 64 MB, more than the caches of one core hold."""
        stream = self._stream
        stream.sum()
        return stream.numel() * 4 / cpu_seconds(stream.sum)

    def _decoding(self, best: float, bandwidth: float) -> float:
        """Seconds of all decoded tokens after the first."""
        work, width = self.work, self.work.width
        layer = (*width.keys_values, *width.other_maps)
        maps = [*layer * width.layers, (width.hidden, width.vocabulary)]
        products = [_Products(work.rows, *shape) for shape in maps]
        for one in products[:2]:
            one.forward()
        linear = sum(one.forward() for one in products)
        weight_bytes = 4 * sum(inputs * outputs for inputs, outputs in maps)
        per_token = max(linear, weight_bytes / bandwidth)
        pairs = work.pairs - work.prompt_pairs
        attention = 4 * pairs * width.heads * width.head_dim * width.layers / best
        return per_token * (work.completion - 1) + max(attention, work.cached_bytes / bandwidth)
