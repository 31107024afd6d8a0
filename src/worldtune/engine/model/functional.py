"""The small operations of a Llama block, each one node of the graph that keeps little.

The formulas are those of transformers' Llama, Qwen2 and Qwen3; the gradients are written out, so
that no intermediate result is kept for them and each costs a few passes over memory.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import silu

_silu_backward = torch.ops.aten.silu_backward.default


class _RmsNorm(torch.autograd.Function):
    """y = w * x / sqrt(mean(x^2) + eps), computed in float32 or wider."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        norm = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        scale = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (wide * scale).mul_(weight).to(dtype)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight, scale = ctx.saved_tensors
        wide, grad, gain = x.to(scale.dtype), grad.to(scale.dtype), weight.to(scale.dtype)
        # With u = x * scale: dw = sum(dy * u), dx = scale * (dy * w - u * mean(dy * w * u)).
        product = grad * wide
        width = x.shape[-1]
        grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_weight = torch.mv(product.view(-1, width).T, scale.view(-1)).to(weight.dtype)
        if not ctx.needs_input_grad[0]:
            return None, grad_weight, None, None
        share = torch.mv(product.view(-1, width), gain).view(scale.shape)
        share.mul_(scale.pow(3)).div_(-width)
        grad_x = torch.mul(grad, gain, out=product).mul_(scale).addcmul_(wide, share)
        return grad_x.to(x.dtype), grad_weight, None, None


def rmsnorm(x: Tensor, weight: Tensor, eps: float, *, dtype: torch.dtype | None = None) -> Tensor:
    """Root mean square norm of ``x`` [..., width] with gains [width] (Zhang and Sennrich, 2019).

    The result has ``dtype``, by default that of x; half precision is normalised in float32.
    """
    result: Tensor = _RmsNorm.apply(x, weight, eps, dtype or x.dtype)
    return result


def _rotate(x: Tensor, cos: Tensor, sin: Tensor, heads: int) -> None:
    """Turn every head's pairs (i, i + dim / 2) by the angle of their row, in place."""
    halves = x.unflatten(-1, (heads, 2, -1))
    first, second = halves[..., 0, :], halves[..., 1, :]
    cos, sin = cos[:, None], sin[:, None]
    if x.dtype == cos.dtype:
        crossed = first * sin
        first.mul_(cos).addcmul_(second, sin, value=-1)
        second.mul_(cos).add_(crossed)
        return
    turned = first * cos - second * sin
    second.copy_(second * cos + first * sin)
    first.copy_(turned)


class _Rope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
        ctx.save_for_backward(cos, sin)
        ctx.heads = heads
        ctx.mark_dirty(x)
        _rotate(x, cos, sin, heads)
        return x

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        cos, sin = ctx.saved_tensors
        grad = grad.clone(memory_format=torch.contiguous_format)
        _rotate(grad, cos, -sin, ctx.heads)  # The transpose of a rotation is its inverse.
        return grad, None, None, None


def rope_(x: Tensor, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
    """Rotary position embedding, in place (Su et al., 2021; halves, as in GPT-NeoX).

    Args:
        x: [time, heads * dim] contiguous; overwritten.
        cos: [time, dim / 2], any scaling of attention included.
        sin: like cos.
        heads: how many x holds.
    """
    result: Tensor = _Rope.apply(x, cos, sin, heads)
    return result


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return silu(gate).mul_(up)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        grad_gate = _silu_backward(grad * up, gate)
        return grad_gate, silu(gate).mul_(grad)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up (Shazeer, 2020); keeps its two arguments and nothing else."""
    result: Tensor = _SwiGlu.apply(gate, up)
    return result
