"""An initialisation that can copy: induction heads from the first step.

A small transformer trained from scratch spends about a million tokens on a plateau before it learns
to find and copy text of its prompt, which is most of what a world model does: nearly everything in
the next state is in the current one. Here the first two layers start as such heads (Olsson et al.,
2022):

* layer 0, head 0 attends to the previous token, by query and key biases alone (the rotary embedding
  turns a constant query and key into a function of distance), and writes that token's embedding
  into a part of the residual stream that embeddings leave free;
* layer 1 looks for a place whose previous token equals the current one and copies what stands
  there.

A few seconds of synthetic copying sharpen them. Nothing depends on data, and the result is an
ordinary checkpoint of its architecture.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from worldtune.config import OptimizerConfig
from worldtune.engine.model.batch import Group, pack
from worldtune.engine.model.policy import as_policy
from worldtune.engine.runtime.optim import apply_update, build_optimizers, schedule_factor, set_rate

_SHARP = 60.0
"""Squared amplitude of the distance biases: the previous token wins by about e^6."""

_MATCH = 2.0
"""Gain of query and key of the matching heads."""

_COPY = 2.0
"""Gain of what the matching heads write."""


@dataclass(frozen=True)
class _Shape:
    width: int
    heads: int
    dim: int

    @property
    def free(self) -> int:
        """First residual coordinate that embeddings leave free for the previous token."""
        return self.width - self.dim


def _orthogonal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    matrix = torch.randn(max(rows, columns), min(rows, columns), generator=generator)
    q: Tensor = torch.linalg.qr(matrix).Q
    return q if rows >= columns else q.T


def _distance_biases(dim: int, theta: float, distance: int) -> tuple[Tensor, Tensor]:
    """Query and key biases whose product peaks where the key is ``distance`` tokens back."""
    half = dim // 2
    angle = distance * theta ** (-torch.arange(half) / half)
    amplitude = torch.zeros(half)
    amplitude[:4] = math.sqrt(_SHARP)
    query = torch.cat([amplitude, torch.zeros(half)])
    key = torch.cat([amplitude * angle.cos(), amplitude * angle.sin()])
    return query, key


@torch.no_grad()
def _previous_token_head(attention: Any, shape: _Shape, read: Tensor, theta: float) -> None:
    """Head 0 writes ``read`` times the previous token's embedding into the free coordinates."""
    dim = shape.dim
    query, key = _distance_biases(dim, theta, distance=1)
    for projection, bias in ((attention.q_proj, query), (attention.k_proj, key)):
        projection.weight[:dim] = 0.0
        projection.bias[:dim] = bias
    attention.v_proj.weight[:dim] = 0.0
    attention.v_proj.weight[:dim, : shape.free] = read
    attention.o_proj.weight[shape.free :] = 0.0
    attention.o_proj.weight[shape.free :, :dim] = torch.eye(dim)


@torch.no_grad()
def _matching_heads(attention: Any, shape: _Shape, read: Tensor) -> None:
    """Heads find "previous token = current token" and copy their share of the embedding."""
    dim = shape.dim
    half = dim // 2
    # Fast rotary frequencies would blur the comparison over distance: only slow ones take part.
    slow = torch.arange(dim) % half >= half * 3 // 8
    for head in range(min(shape.heads - 1, shape.free // dim)):
        rows = slice(head * dim, (head + 1) * dim)
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
            projection.weight[rows] = 0.0
            projection.bias[rows] = 0.0
        attention.q_proj.weight[rows, : shape.free] = _MATCH * read * slow[:, None]
        attention.k_proj.weight[rows, shape.free :] = _MATCH * torch.eye(dim) * slow[:, None]
        attention.v_proj.weight[rows, rows] = torch.eye(dim)
        attention.o_proj.weight[rows, rows] = _COPY * torch.eye(dim)


@torch.no_grad()
def initialise(model: PreTrainedModel, *, seed: int) -> None:
    """Overwrite a fresh Llama (biased q, k, v; untied head; as many key as query heads)."""
    config = model.config
    shape = _Shape(
        config.hidden_size,
        config.num_attention_heads,
        config.hidden_size // config.num_attention_heads,
    )
    generator = torch.Generator().manual_seed(seed)
    embedding: Any = model.get_input_embeddings().weight
    values = torch.randn(embedding.shape, generator=generator)
    values[:, shape.free :] = 0.0
    embedding.copy_(values)
    model.get_output_embeddings().weight.copy_(values / math.sqrt(shape.width))
    layers: Any = model.base_model.layers
    for layer in layers:
        for name, parameter in layer.named_parameters():
            if parameter.ndim == 2:
                gain = 0.5 if "o_proj" in name or "down_proj" in name else 1.0
                std = gain / math.sqrt(parameter.shape[1])
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)
    read = _orthogonal(shape.dim, shape.free, generator)
    read = read * math.sqrt(shape.free / shape.dim)
    theta = float(config.rope_parameters["rope_theta"])
    _previous_token_head(layers[0].self_attn, shape, read, theta)
    _matching_heads(layers[1].self_attn, shape, read)


def _copy_task(vocab: int, generator: torch.Generator, *, rows: int, length: int) -> list[Group]:
    """Random text in which snippets of the first part come back in another order."""
    groups = []
    for _ in range(rows):
        text = torch.randint(2, vocab, (length,), generator=generator)
        starts = torch.randint(0, length - 12, (4,), generator=generator).tolist()
        sizes = torch.randint(4, 12, (4,), generator=generator).tolist()
        answer = torch.cat([text[s : s + n] for s, n in zip(starts, sizes, strict=True)])
        groups.append(Group(text.tolist(), [answer.tolist()]))
    return groups


def practise_copying(model: PreTrainedModel, *, steps: int, seed: int) -> float:
    """Train on synthetic copying; returns the loss of the last step in nats per token."""
    config = OptimizerConfig(kind="muon", learning_rate=3e-3, muon_learning_rate=0.02)
    optimizers = build_optimizers(model, config)
    policy = as_policy(model)
    generator = torch.Generator().manual_seed(seed)
    loss = torch.zeros(())
    for step in range(steps):
        groups = _copy_task(model.config.vocab_size, generator, rows=10, length=90)
        batch = pack(groups, device=policy.device)
        loss = cross_entropy(policy.head.logits(policy.path.states(batch)), batch.targets)
        loss.backward()
        set_rate(optimizers, schedule_factor(step, steps, config))
        apply_update(model, optimizers, config.max_grad_norm)
    return float(loss.detach())
