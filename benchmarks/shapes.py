"""What is measured: the model, four shapes of a reinforcement-learning step, prompts and a reward.

The four shapes stand for the uses of a world model: a long textual state with a short outcome, many
samples of a medium prompt, frames of visual tokens in and out, and chat-like short prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM

PAD, EOS = 0, 1
NEVER = -1e4
"""Bias of the pad and end tokens: they are never sampled, so that every completion has full length
on both sides, without an extra logits processor on either."""


@dataclass(frozen=True)
class Width:
    """A Qwen2 with an untied output layer that has a bias."""

    hidden: int = 256
    layers: int = 6
    heads: int = 8
    kv_heads: int = 4
    mlp: int = 704
    vocabulary: int = 4096

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.hidden // self.heads

    @property
    def keys_values(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of the linear maps to keys and values of one layer."""
        return ((self.hidden, self.kv_heads * self.head_dim),) * 2

    @property
    def other_maps(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of the other linear maps of one layer: q, o, gate, up, down."""
        own = self.hidden
        return ((own, own), (own, own), (own, self.mlp), (own, self.mlp), (self.mlp, own))


@dataclass(frozen=True)
class Shape:
    """One step: so many prompts of so many tokens, a group of completions of fixed length each.

    micro_batch: rows per pass of TRL, the fastest of the divisors of all rows (``--tune``): about a
        thousand tokens, which the caches hold.
    cache: ``cache_implementation`` of TRL's generation, the faster of dynamic (None) and static.
    """

    name: str
    prompts: int
    prompt_tokens: tuple[int, int]
    completion_tokens: int
    group: int
    micro_batch: int
    cache: str | None = None

    @property
    def rows(self) -> int:
        """Completions of a step."""
        return self.prompts * self.group


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("text-game", 2, (1200, 1800), 100, 5, 1, "static"),
        Shape("long", 4, (256, 512), 128, 16, 2, "static"),
        Shape("visual", 2, (660, 660), 320, 5, 1, "static"),
        Shape("short", 4, (32, 64), 96, 8, 8),
    )
}


def build_model(width: Width, *, seed: int = 0, max_tokens: int = 8192) -> Qwen2ForCausalLM:
    """A random float32 Qwen2; the same seed gives the same weights."""
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=width.vocabulary,
        hidden_size=width.hidden,
        intermediate_size=width.mlp,
        num_hidden_layers=width.layers,
        num_attention_heads=width.heads,
        num_key_value_heads=width.kv_heads,
        max_position_embeddings=max_tokens,
        tie_word_embeddings=False,
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=None,
        attn_implementation="sdpa",
    )
    model = Qwen2ForCausalLM(config)
    model.lm_head = nn.Linear(width.hidden, width.vocabulary)
    with torch.no_grad():
        model.lm_head.weight.normal_(std=config.initializer_range)
        model.lm_head.bias.zero_()
        model.lm_head.bias[[PAD, EOS]] = NEVER
    return model


def draw_prompts(shape: Shape, count: int, *, vocabulary: int, seed: int = 0) -> list[list[int]]:
    """Random prompts; their lengths are uniform in the shape's range."""
    draw = torch.Generator().manual_seed(seed)
    low, high = shape.prompt_tokens
    lengths = torch.randint(low, high + 1, (count,), generator=draw).tolist()
    return [torch.randint(2, vocabulary, (n,), generator=draw).tolist() for n in lengths]


def reward(completion: Sequence[int], vocabulary: int) -> float:
    """The share of tokens from the lower half of the vocabulary: cheap, and never constant."""
    return sum(token < vocabulary // 2 for token in completion) / len(completion)
