"""One small batch through a path and through the plain model: the same numbers, or no training.

A path replaces what the model's authors wrote, so it has to prove itself on the very weights that
are about to be trained: log-probabilities and a gradient of a few tens of random tokens, and a few
decoding steps, against the model's own forward pass over padded rows. The batch is too short to
notice a long window or a change of rotary scaling at some length; paths refuse those by name.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from worldtune.engine.model.batch import Group, pack
from worldtune.engine.model.head import Head
from worldtune.engine.model.path import Path, unwrapped
from worldtune.errors import UserError

_LENGTHS = ((11, (6, 1, 3)), (6, (2, 5, 4)))
"""Tokens of each prompt and of each of its completions."""

_NUM_PARAMETERS = 8
"""How many gradients are compared: those nearest to the input, which pass through every layer."""

_TOLERANCES = {
    torch.float64: (1e-5, 1e-4),  # transformers' norms and rotary angles are float32 even here
    torch.float32: (1e-4, 1e-3),
    torch.float16: (2e-2, 1e-1),
    torch.bfloat16: (6e-2, 3e-1),
}
"""Largest relative deviation of log-probabilities and of gradients, by the computing type."""

_TOLERANCE_TF32 = (5e-3, 5e-2)
"""Instead of float32's where torch.set_float32_matmul_precision allows a GPU to round more."""

_AFTER_HEAD = ("final_logit_softcapping", "logits_scaling", "logit_scale", "lm_head_multiplier")
"""Keys of model configurations that change logits after the output layer."""


@dataclass(frozen=True)
class Deviation:
    """How far a path is from the plain model, relative to the spread of the plain values.

    Attributes:
        logp: of the log-probabilities of training passes.
        decode: of those of decoding steps.
        gradient: of the worst gradient; 0 for a frozen model.
        limit_logp, limit_gradient: largest that rounding explains.
    """

    logp: float
    decode: float
    gradient: float
    limit_logp: float
    limit_gradient: float

    @property
    def is_rounding(self) -> bool:
        """Whether the path computes what the model does."""
        # A comparison with nan is False, which is what it should be here.
        near = self.logp <= self.limit_logp and self.decode <= self.limit_logp
        return near and self.gradient <= self.limit_gradient

    def __str__(self) -> str:
        """For a log."""
        return (
            f"log-probabilities {self.logp:.1e}, decoding {self.decode:.1e}, "
            f"gradients {self.gradient:.1e} off the plain model; allowed are "
            f"{self.limit_logp:.0e}, {self.limit_logp:.0e} and {self.limit_gradient:.0e}"
        )


class SelfCheck:
    """The plain model's answer to a small batch, which paths are compared with."""

    def __init__(self, model: nn.Module, head: Head, *, autocast: torch.dtype | None) -> None:
        """Run the plain model. Raises ValueError where its output layer does not give its logits.

        Args:
            model: with its own attention; gradients, modes and random state stay untouched.
            head: its output layer.
            autocast: the type it will compute in, or None for that of its parameters.
        """
        self._model, self._head, self._autocast = model, head, autocast
        first = next(model.parameters())
        self._device = first.device
        self._limits = _limits(autocast or first.dtype, self._device)
        trained = (p for p in model.parameters() if p.requires_grad)
        self._parameters = [p for p, _ in zip(trained, range(_NUM_PARAMETERS), strict=False)]
        base = unwrapped(model)
        self._groups = _random_groups(base.config)
        with self._quiet(training=False):
            with self._computing():
                logits = _plain_logits(base, self._groups, self._device)
                self._check_head(base, logits.detach())
            self._gradients = self._gradient(_target_logits(logits, self._groups))
        self._logits = logits.detach()

    def compare(self, path: Path) -> Deviation:
        """Run a path on the same batch."""
        batch = pack(self._groups, device=self._device)
        # Training mode, so that a layer which is random there is noticed.
        with self._quiet(training=True):
            with self._computing():
                logits = self._head.logits(path.states(batch))
            gradients = self._gradient(logits)
        with self._quiet(training=False), self._computing(), torch.no_grad():
            decode = self._compare_decoding(path)
        expected = _target_logits(self._logits, self._groups)
        largest = max((float(g.norm()) for g in self._gradients), default=0.0) or 1.0
        gradient = max(
            (
                float((found - known).norm()) / max(float(known.norm()), 1e-3 * largest)
                for found, known in zip(gradients, self._gradients, strict=True)
            ),
            default=0.0,
        )
        logp = _deviation(logits.detach(), expected)
        return Deviation(logp, decode, gradient, *self._limits)

    def _compare_decoding(self, path: Path) -> float:
        """Prefill, feed a token, drop the first group, feed another."""
        prompts = [group.prompt for group in self._groups]
        samples = len(self._groups[0].completions)
        rows = [c for group in self._groups for c in group.completions]
        states, decoder = path.prefill(prompts, samples=samples, max_new=3)
        kept = torch.arange(samples, 2 * samples, device=self._device)
        found = [states.repeat_interleave(samples, dim=0)]
        found.append(decoder.step(torch.tensor([c[0] for c in rows], device=self._device)))
        decoder.keep(torch.tensor([1], device=self._device), kept)
        second = torch.tensor([c[1] for c in rows[samples:]], device=self._device)
        found.append(decoder.step(second))
        ends = torch.tensor([len(p) - 1 for p in prompts], device=self._device)
        ends = ends.repeat_interleave(samples)
        every = torch.arange(len(rows), device=self._device)
        places = [(every, ends), (every, ends + 1), (kept, ends[kept] + 2)]
        expected = torch.cat([self._logits[row, time] for row, time in places])
        return _deviation(self._head.logits(torch.cat(found)), expected)

    def _check_head(self, base: Any, logits: Tensor) -> None:
        config = base.config
        keys = [
            f"{key} = {getattr(config, key)}"
            for key in _AFTER_HEAD
            if getattr(config, key, None) not in (None, 1.0)
        ]
        with torch.no_grad():
            ids, mask = _padded(self._groups, self._device)
            states = base.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
            found = self._head.logits(states.last_hidden_state)
        # A soft cap is next to nothing on the small logits of a fresh model: the key decides too.
        if keys or not _deviation(found[mask.bool()], logits[mask.bool()]) <= self._limits[0]:
            raise UserError(
                f"{type(base).__name__} changes its logits after the output layer "
                f"({', '.join(keys) or 'no known key of its configuration says how'}), which the "
                "fused output layer does not: take a model without that, or set the key to null "
                "(a factor to 1.0) in its config.json and train what it then is"
            )

    def _gradient(self, logits: Tensor) -> list[Tensor]:
        """Of an arbitrary sum over the targets' log-probabilities."""
        if not self._parameters:
            return []
        completions = [c for group in self._groups for c in group.completions]
        targets = torch.tensor([token for c in completions for token in c], device=self._device)
        logp = _wide(logits).log_softmax(dim=-1).gather(-1, targets[:, None])[:, 0]
        weights = torch.arange(len(targets), device=self._device, dtype=logp.dtype).cos()
        found = torch.autograd.grad((logp * weights).sum(), self._parameters, allow_unused=True)
        return [
            torch.zeros_like(p, dtype=logp.dtype) if g is None else g.to(logp.dtype)
            for p, g in zip(self._parameters, found, strict=True)
        ]

    @contextmanager
    def _quiet(self, *, training: bool) -> Iterator[None]:
        """Set the mode of all modules for a while; gradients on, unless nothing is trained."""
        modes = {module: module.training for module in self._model.modules()}
        self._model.train(training)
        try:
            with torch.set_grad_enabled(bool(self._parameters)):
                yield
        finally:
            for module, mode in modes.items():
                module.training = mode

    def _computing(self) -> torch.autocast:
        return torch.autocast(
            self._device.type, dtype=self._autocast, enabled=self._autocast is not None
        )


def _limits(dtype: torch.dtype, device: torch.device) -> tuple[float, float]:
    is_rough = device.type == "cuda" and torch.get_float32_matmul_precision() != "highest"
    return _TOLERANCE_TF32 if is_rough and dtype == torch.float32 else _TOLERANCES[dtype]


def _random_groups(config: Any) -> list[Group]:
    generator = torch.Generator().manual_seed(0)

    def tokens(count: int) -> list[int]:
        return torch.randint(config.vocab_size, (count,), generator=generator).tolist()

    groups = [Group(tokens(size), [tokens(n) for n in sizes]) for size, sizes in _LENGTHS]
    if config.pad_token_id in range(config.vocab_size):
        # Its embedding may be excluded from training: a path has to know.
        groups[0] = Group([config.pad_token_id, *groups[0].prompt[1:]], groups[0].completions)
    return groups


def _padded(groups: Sequence[Group], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask [rows, longest] of every completion after its own copy of the prompt."""
    rows = [torch.tensor([*g.prompt, *c], device=device) for g in groups for c in g.completions]
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return pad_sequence(rows, batch_first=True), mask


def _plain_logits(base: Any, groups: Sequence[Group], device: torch.device) -> Tensor:
    ids, mask = _padded(groups, device)
    logits: Tensor = base(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return logits


def _target_logits(logits: Tensor, groups: Sequence[Group]) -> Tensor:
    """[rows, time, vocabulary] -> [targets, vocabulary], those that predict completion tokens."""
    pairs = [(g, c) for g in groups for c in g.completions]
    return torch.cat(
        [
            logits[row, len(group.prompt) - 1 : len(group.prompt) + len(completion) - 1]
            for row, (group, completion) in enumerate(pairs)
        ]
    )


def _wide(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _deviation(found: Tensor, expected: Tensor) -> float:
    """Distance of log-probabilities over the spread of the expected ones; both [..., vocabulary].

    Relative to the spread, because a fresh model is nearly uniform whatever it attends to.
    """
    known = _wide(expected).log_softmax(dim=-1)
    gap = _wide(found).log_softmax(dim=-1) - known
    return float(gap.norm() / (known - known.mean(dim=-1, keepdim=True)).norm())
