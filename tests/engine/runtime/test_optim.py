"""Schedules by hand, and which optimiser moves which parameter."""

import copy
import math

import pytest
import torch
from torch import nn

from tests.engine.tiny import assert_same_weights, tiny_model, weights
from worldtune.config import OptimizerConfig
from worldtune.engine.runtime.optim import apply_update, build_optimizers, schedule_factor, set_rate
from worldtune.errors import UserError


def factors(steps, **options):
    config = OptimizerConfig(**options)
    return [schedule_factor(step, steps, config) for step in range(steps)]


def test_the_linear_schedule_by_hand():
    found = factors(10, warmup_fraction=0.2, decay_fraction=0.3)
    # two steps of warm-up, a plateau, three steps of decay that end just above zero
    assert found == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1, 1, 3 / 4, 2 / 4, 1 / 4])


def test_the_cosine_schedule_by_hand():
    found = factors(4, schedule="cosine", warmup_fraction=0.0, decay_fraction=1.0)
    expected = [0.5 - 0.5 * math.cos(math.pi * left / 5) for left in (4, 3, 2, 1)]
    assert found == pytest.approx(expected)


def test_the_constant_schedule_only_warms_up():
    found = factors(8, schedule="constant", warmup_fraction=0.25, decay_fraction=0.5)
    assert found == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1, 1, 1])


def test_the_final_fraction_is_the_floor_of_the_decay():
    found = factors(10, warmup_fraction=0.0, decay_fraction=0.4, final_fraction=0.1)
    assert found[-1] == pytest.approx(0.1 + 0.9 / 5)
    assert min(found) == found[-1]


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("steps", [1, 2, 3, 17])
def test_every_rate_is_positive_and_at_most_the_peak(schedule, steps):
    found = factors(steps, schedule=schedule, warmup_fraction=0.5, decay_fraction=0.5)
    assert all(0 < value <= 1 for value in found)


def names_in(optimizer, model):
    ids = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return {name for name, p in model.named_parameters() if id(p) in ids}


@pytest.mark.parametrize("tied", [True, False])
def test_muon_moves_the_hidden_matrices_and_adamw_the_rest(tied):
    model = tiny_model("qwen2", tied=tied)
    muon, adamw = build_optimizers(model, OptimizerConfig(kind="muon"))
    assert isinstance(muon, torch.optim.Muon) and isinstance(adamw, torch.optim.AdamW)
    matrices, rest = names_in(muon, model), names_in(adamw, model)
    assert matrices | rest == {name for name, _ in model.named_parameters()}
    assert not matrices & rest
    assert all(name.startswith("model.layers") and name.endswith("weight") for name in matrices)
    assert "model.layers.0.self_attn.q_proj.weight" in matrices
    assert {"model.embed_tokens.weight", "model.norm.weight"} <= rest
    assert "model.layers.0.self_attn.q_proj.bias" in rest


def test_adamw_alone_moves_everything():
    model = tiny_model()
    (adamw,) = build_optimizers(model, OptimizerConfig(kind="adamw"))
    assert names_in(adamw, model) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_frozen_parameters_are_untouched_and_the_others_move(kind):
    model = tiny_model()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("layers.1" in name)
    optimizers = build_optimizers(model, OptimizerConfig(kind=kind))
    before = weights(model)
    model(input_ids=torch.tensor([[3, 4, 5]])).logits.square().sum().backward()
    set_rate(optimizers, 1.0)
    apply_update(model, optimizers, 1.0)
    for name, parameter in model.named_parameters():
        moved = not torch.equal(parameter, before[name])
        assert moved == ("layers.1" in name), name


def test_rates_are_shares_of_each_peak():
    config = OptimizerConfig(kind="muon", learning_rate=0.004, muon_learning_rate=0.02)
    optimizers = build_optimizers(tiny_model(), config)
    for factor in (0.5, 0.25, 1.0):
        set_rate(optimizers, factor)
        rates = [group["lr"] for o in optimizers for group in o.param_groups]
        assert rates == pytest.approx([0.02 * factor, 0.004 * factor])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_adamw_equals_the_textbook_formula(dtype):
    config = OptimizerConfig(kind="adamw", learning_rate=0.01, weight_decay=0.1, betas=(0.8, 0.9))
    torch.manual_seed(0)
    layer = torch.nn.Linear(7, 5).to(dtype)
    (optimizer,) = build_optimizers(layer, config)
    expected = layer.weight.detach().double().clone()
    first, second = torch.zeros(5, 7).double(), torch.zeros(5, 7).double()
    for step in range(1, 5):
        slope = torch.randn(5, 7).to(dtype)
        layer.weight.grad = slope.clone()
        apply_update(layer, [optimizer], max_grad_norm=1e9)
        first = 0.8 * first + 0.2 * slope.double()
        second = 0.9 * second + 0.1 * slope.double().square()
        scale = (second / (1 - 0.9**step)).sqrt() + 1e-8
        expected = expected * (1 - 0.01 * 0.1) - 0.01 * first / (1 - 0.8**step) / scale
    tolerance = {torch.float64: 1e-13, torch.float32: 1e-6, torch.bfloat16: 2e-2}[dtype]
    torch.testing.assert_close(
        layer.weight.detach().double(), expected, rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_the_state_of_an_optimiser_is_tensors_and_goes_on_where_it_was(kind):
    def slopes(model, step):
        torch.manual_seed(step)
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)

    through, config = tiny_model(), OptimizerConfig(kind=kind)
    optimizers = build_optimizers(through, config)
    for step in range(4):
        if step == 2:
            resumed = tiny_model()
            resumed.load_state_dict(through.state_dict())
            again = build_optimizers(resumed, config)
            for own, stored in zip(again, optimizers, strict=True):
                state = copy.deepcopy(stored.state_dict())
                assert all(
                    isinstance(v, torch.Tensor) for s in state["state"].values() for v in s.values()
                )
                own.load_state_dict(state)
        slopes(through, step)
        apply_update(through, optimizers, 1.0)
    for step in (2, 3):
        slopes(resumed, step)
        apply_update(resumed, again, 1.0)
    assert_same_weights(weights(through), weights(resumed))


def test_a_small_gradient_is_not_scaled():
    model = torch.nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with torch.no_grad():
        model.weight.zero_()
    model.weight.grad = torch.tensor([[0.3, 0.4]])
    assert apply_update(model, [optimizer], max_grad_norm=1.0) == pytest.approx(0.5)
    assert torch.equal(model.weight.detach(), torch.tensor([[-0.3, -0.4]]))


def test_an_update_without_gradients_changes_nothing():
    model = tiny_model()
    before = weights(model)
    optimizers = build_optimizers(model, OptimizerConfig(kind="muon"))
    assert apply_update(model, optimizers, 1.0) == 0.0
    assert_same_weights(weights(model), before)


def test_an_update_reports_the_norm_before_clipping_and_clears_gradients():
    model = torch.nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with torch.no_grad():
        model.weight.zero_()
    model.weight.grad = torch.tensor([[3.0, 4.0]])
    assert apply_update(model, [optimizer], max_grad_norm=1.0) == pytest.approx(5.0)
    torch.testing.assert_close(model.weight.detach(), torch.tensor([[-0.6, -0.8]]))
    assert model.weight.grad is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_moves_nothing(value):
    model = nn.Linear(3, 2)
    before = [p.detach().clone() for p in model.parameters()]
    optimizers = build_optimizers(model, OptimizerConfig())
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, value)
    with pytest.raises(UserError, match="learning_rate"):
        apply_update(model, optimizers, 1.0)
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
