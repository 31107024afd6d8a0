"""The small operations of a Llama block, each one node of the graph that keeps little.

The formulas are those of transformers' Llama, Qwen2 and Qwen3; the gradients are written out, so
that no intermediate result is kept for them and each costs a few passes over memory.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import silu

_silu_backward_into = torch.ops.aten.silu_backward.grad_input


class _RmsNorm(torch.autograd.Function):
    """y = w * x / sqrt(mean(x^2) + eps), computed in float32 or wider."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        norm = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        scale = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        y: Tensor = (wide * scale).mul_(weight)
        return y.to(dtype)

    @staticmethod
    @once_differentiable
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
    result: Tensor = _RmsNorm.apply(x, weight, eps, dtype or x.dtype)  # type: ignore[no-untyped-call]
    return result


def _rotated(x: Tensor, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
    """Turn every head's pairs (i, i + dim / 2) by the angle of their row."""
    halves = x.to(cos.dtype).unflatten(-1, (heads, 2, -1))
    first, second = halves[..., 0, :], halves[..., 1, :]
    cos, sin = cos[:, None], sin[:, None]
    turned = torch.empty_like(halves)
    torch.mul(first, cos, out=turned[..., 0, :]).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=turned[..., 1, :]).addcmul_(first, sin)
    return turned.view(x.shape).to(x.dtype)


class _Rope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
        ctx.save_for_backward(cos, sin)
        ctx.heads = heads
        return _rotated(x, cos, sin, heads)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        cos, sin = ctx.saved_tensors
        # The transpose of a rotation is its inverse.
        return _rotated(grad.contiguous(), cos, -sin, ctx.heads), None, None, None


def rope(x: Tensor, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
    """Rotary position embedding (Su et al., 2021; halves, as in GPT-NeoX).

    Args:
        x: [time, heads * dim]; half precision is turned in float32.
        cos: [time, dim / 2], any scaling of attention included.
        sin: like cos.
        heads: how many x holds.
    """
    result: Tensor = _Rope.apply(x, cos, sin, heads)  # type: ignore[no-untyped-call]
    return result


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        grad_gate = grad * up
        _silu_backward_into(grad_gate, gate, grad_input=grad_gate)
        return grad_gate, silu(gate).mul_(grad)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up (Shazeer, 2020); keeps its two arguments and nothing else."""
    result: Tensor = _SwiGlu.apply(gate, up)  # type: ignore[no-untyped-call]
    return result
