"""Written-out gradients against differentiation of the plain formula, in float64."""

import pytest
import torch

from worldtune.engine.model.functional import rmsnorm, rope, swiglu


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def assert_same(function, formula, inputs):
    """Values and gradients agree to the last digits."""
    results = []
    for run in (function, formula):
        leaves = [t.clone().requires_grad_() for t in inputs]
        y = run(*leaves)
        results.append([y, *torch.autograd.grad(y, leaves, random(*y.shape, seed=9))])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("shape", [(5, 6), (3, 2, 6), (1, 6)])
def test_rmsnorm_is_its_formula(shape):
    def formula(x, w):
        return w * x / (x.square().mean(dim=-1, keepdim=True) + 1e-3).sqrt()

    assert_same(lambda x, w: rmsnorm(x, w, 1e-3), formula, [random(*shape), random(6, seed=1)])


def test_a_frozen_norm_passes_the_gradient_on_and_gets_none():
    x, w = random(4, 6).requires_grad_(), random(6, seed=1)
    rmsnorm(x, w, 1e-6).sum().backward()
    assert x.grad is not None
    assert w.grad is None


def test_half_precision_is_normalised_in_float32():
    x = random(64, 32, dtype=torch.float32).bfloat16()
    w = random(32, seed=1, dtype=torch.float32)
    y = rmsnorm(x, w, 1e-6, dtype=torch.float32)
    assert y.dtype == torch.float32
    expected = rmsnorm(x.double(), w.double(), 1e-6).float()
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)


def test_rope_turns_pairs_as_complex_numbers():
    time, heads, half = 5, 3, 4
    angle = random(time, half, seed=2)

    def formula(x):
        pairs = x.unflatten(-1, (heads, 2, half))
        z = torch.complex(pairs[:, :, 0], pairs[:, :, 1])
        z = z * torch.polar(torch.ones_like(angle), angle)[:, None]
        return torch.stack([z.real, z.imag], dim=2).flatten(1)

    def written_out(x):
        return rope(x, angle.cos(), angle.sin(), heads)

    assert_same(written_out, formula, [random(time, heads * 2 * half)])


def test_rope_rounds_half_precision_once():
    x = random(7, 16, dtype=torch.float32).bfloat16()
    angle = random(7, 4, seed=2, dtype=torch.float32)
    found = rope(x, angle.cos(), angle.sin(), 2)
    expected = rope(x.float(), angle.cos(), angle.sin(), 2).bfloat16()
    assert torch.equal(found, expected)


def test_swiglu_is_its_formula():
    def formula(gate, up):
        return gate / (1 + (-gate).exp()) * up

    assert_same(swiglu, formula, [random(4, 5), random(4, 5, seed=1)])


def test_swiglu_keeps_its_two_arguments_and_nothing_else():
    kept = []
    gate, up = random(4, 5).requires_grad_(), random(4, 5, seed=1).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        swiglu(gate, up)
    assert sorted(t.data_ptr() for t in kept) == sorted(t.data_ptr() for t in (gate, up))
