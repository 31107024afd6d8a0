"""The fused output layer against the plain one: full logits, log_softmax, autograd, in float64."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from worldtune.engine.model.head import Head, objective_loss, score_targets

COUNT, WIDTH, VOCABULARY = 23, 8, 37
DOUBLE = torch.float64


@dataclass(frozen=True)
class Curved:
    """A loss with a different slope for every token, in log-probability and entropy."""

    weights: torch.Tensor
    token_wise: bool = True

    def __call__(self, logp, entropy, select):
        weights = self.weights[select].to(logp)
        loss = -(weights * logp.exp() * logp.cos()).sum()
        if not self.token_wise:
            loss = loss + 0.1 * logp.mean().square()
        if entropy is not None:
            loss = loss - 0.3 * (weights * entropy.square()).sum()
        return loss


@dataclass(frozen=True)
class Case:
    layer: nn.Linear
    states: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor


def case(*, bias=True, dtype=DOUBLE, seed=0, count=COUNT):
    torch.manual_seed(seed)
    layer = nn.Linear(WIDTH, VOCABULARY, bias=bias).to(dtype)
    states = torch.randn(count, WIDTH, dtype=DOUBLE).mul(2).to(dtype).requires_grad_()
    targets = torch.randint(0, 18, (count,))
    return Case(layer, states, targets, torch.randn(count, dtype=DOUBLE))


def some_masks(count=COUNT):
    """All tokens, or the first eighteen; targets() are below eighteen."""
    masks = torch.ones(2, VOCABULARY, dtype=torch.bool)
    masks[1, 18:] = False
    return {"masks": masks, "allowed": torch.arange(count) % 2}


def plain_stats(case, *, temperature=1.0, masks=None, allowed=None):
    logits = case.layer(case.states) / temperature
    every = torch.ones_like(logits, dtype=torch.bool) if masks is None else masks[allowed]
    shares = [
        row[keep].log_softmax(dim=0) for row, keep in zip(logits, every, strict=True)
    ]  # the allowed tokens alone, so that no infinity is involved
    places = [keep.cumsum(0)[t] - 1 for keep, t in zip(every, case.targets, strict=True)]
    logp = torch.stack([row[place] for row, place in zip(shares, places, strict=True)])
    return logp, torch.stack([-(row.exp() * row).sum() for row in shares])


def plain_loss(case, objective, *, entropy="none", **options):
    logp, uncertain = plain_stats(case, **options)
    shown = {"none": None, "value": uncertain.detach(), "gradient": uncertain}[entropy]
    return objective(logp, shown, slice(0, len(logp)))


def gradients(case, loss):
    inputs = [case.states, *case.layer.parameters()]
    return torch.autograd.grad(2.0 * loss, inputs)


def assert_equal_gradients(found, expected, *, tolerance=1e-13):
    for one, other in zip(found, expected, strict=True):
        assert float((one - other).norm() / other.norm()) < tolerance


@pytest.mark.parametrize("is_masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("entropy", ["none", "value", "gradient"])
@pytest.mark.parametrize("token_wise", [True, False], ids=["tokens", "sequences"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("chunk", [5, 23, None])
def test_loss_and_gradients_equal_those_of_full_logits(chunk, bias, token_wise, entropy, is_masked):
    one = case(bias=bias)
    objective = Curved(one.weights, token_wise)
    options = {"temperature": 0.7, **(some_masks() if is_masked else {})}
    expected = plain_loss(one, objective, entropy=entropy, **options)
    found, stats = objective_loss(
        Head(one.layer), one.states, one.targets, objective, entropy=entropy, chunk=chunk, **options
    )
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=1e-14)
    assert_equal_gradients(gradients(one, found), gradients(one, expected))
    logp, uncertain = plain_stats(one, **options)
    torch.testing.assert_close(stats.logp, logp.detach(), rtol=1e-13, atol=1e-13)
    assert (stats.entropy is None) == (entropy == "none")
    if stats.entropy is not None:
        torch.testing.assert_close(stats.entropy, uncertain.detach(), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("entropy", ["none", "value", "gradient"])
@pytest.mark.parametrize("token_wise", [True, False])
def test_a_wrapped_layer_gives_the_same(token_wise, entropy):
    one = case()
    objective = Curved(one.weights, token_wise)
    options = {"temperature": 0.7, "entropy": entropy, "chunk": 5, **some_masks()}
    arguments = (one.states, one.targets, objective)
    assert Head(nn.Sequential(one.layer)).linear is None
    expected, stats = objective_loss(Head(one.layer), *arguments, **options)
    found, others = objective_loss(Head(nn.Sequential(one.layer)), *arguments, **options)
    torch.testing.assert_close(found, expected)
    assert_equal_gradients(gradients(one, found), gradients(one, expected))
    torch.testing.assert_close(others.logp, stats.logp)
    assert not others.logp.requires_grad
    torch.testing.assert_close(others.entropy, stats.entropy)


def test_a_layer_with_a_hook_is_called_as_a_module():
    layer = nn.Linear(WIDTH, VOCABULARY)
    assert Head(layer).linear is layer
    layer.register_forward_hook(lambda *_: None)
    assert Head(layer).linear is None


@pytest.mark.parametrize("is_wrapped", [False, True])
@pytest.mark.parametrize("chunk", [1, 6, None])
def test_scores_equal_those_of_full_logits_and_carry_no_gradient(chunk, is_wrapped):
    one = case()
    head = Head(nn.Sequential(one.layer) if is_wrapped else one.layer)
    options = {"temperature": 1.3, **some_masks()}
    found = score_targets(head, one.states, one.targets, entropy=True, chunk=chunk, **options)
    logp, uncertain = plain_stats(one, **options)
    torch.testing.assert_close(found.logp, logp.detach(), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(found.entropy, uncertain.detach(), rtol=1e-13, atol=1e-13)
    assert not found.logp.requires_grad
    assert score_targets(head, one.states, one.targets).entropy is None


class Watch(TorchDispatchMode):
    """Counts matrix products and remembers the largest tensor that was made."""

    def __init__(self):
        super().__init__()
        self.products, self.largest = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        self.products += name in ("mm", "addmm", "addmm_")
        if isinstance(result, torch.Tensor):
            self.largest = max(self.largest, result.numel())
        return result


@pytest.mark.parametrize(("token_wise", "per_chunk"), [(True, 3), (False, 4)])
def test_the_work_is_three_matrix_products_a_chunk_and_four_for_sequences(token_wise, per_chunk):
    one = case(count=40)
    with Watch() as watch:
        loss, _ = objective_loss(
            Head(one.layer), one.states, one.targets, Curved(one.weights, token_wise), chunk=8
        )
        loss.backward()
    assert watch.products == 5 * per_chunk
    assert watch.largest == max(8 * VOCABULARY, VOCABULARY * WIDTH, 40 * WIDTH)


@pytest.mark.parametrize("token_wise", [True, False])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_the_objective_sees_every_target_once(is_wrapped, token_wise):
    one, seen = case(), []

    class Counted(Curved):
        def __call__(self, logp, entropy, select):
            seen.extend(range(*select.indices(COUNT)))
            assert len(logp) == len(self.weights[select])
            return super().__call__(logp, entropy, select)

    head = Head(nn.Sequential(one.layer) if is_wrapped else one.layer)
    loss, _ = objective_loss(
        head, one.states, one.targets, Counted(one.weights, token_wise), chunk=4
    )
    loss.backward()
    assert seen == list(range(COUNT))


def test_one_chunk_needs_no_second_visit_even_for_sequences():
    one = case()
    with Watch() as watch:
        objective_loss(Head(one.layer), one.states, one.targets, Curved(one.weights, False))
    assert watch.products == 3


@pytest.mark.parametrize(
    ("frozen", "products"), [("weight", 2), ("states", 2), ("both", 1), ("no_grad", 1)]
)
def test_only_wanted_gradients_are_made(frozen, products):
    one = case()
    one.layer.requires_grad_(frozen not in ("weight", "both"))
    one.states.requires_grad_(frozen not in ("states", "both"))
    expected = plain_loss(one, Curved(one.weights)).detach()
    with torch.set_grad_enabled(frozen != "no_grad"), Watch() as watch:
        loss, _ = objective_loss(Head(one.layer), one.states, one.targets, Curved(one.weights))
    assert watch.products == products
    torch.testing.assert_close(loss.detach(), expected)
    assert loss.requires_grad == (frozen in ("weight", "states"))
    if loss.requires_grad:
        loss.backward()
        assert (one.layer.weight.grad is None) == (frozen == "weight")
        assert (one.states.grad is None) == (frozen == "states")


def test_tied_embeddings_add_up_both_gradients():
    torch.manual_seed(0)
    embeddings = nn.Embedding(VOCABULARY, WIDTH).double()
    layer = nn.Linear(WIDTH, VOCABULARY, bias=False).double()
    layer.weight = embeddings.weight
    tokens, targets = torch.arange(9), torch.arange(9) + 5
    objective = Curved(torch.randn(9, dtype=DOUBLE))
    found, _ = objective_loss(Head(layer), embeddings(tokens).tanh(), targets, objective, chunk=4)
    (slope,) = torch.autograd.grad(found, [embeddings.weight])
    one = Case(layer, embeddings(tokens).tanh(), targets, objective.weights)
    (expected,) = torch.autograd.grad(plain_loss(one, objective), [embeddings.weight])
    assert_equal_gradients([slope], [expected])


def test_gradients_add_to_those_that_are_there():
    one = case()
    for _ in range(2):
        objective_loss(Head(one.layer), one.states, one.targets, Curved(one.weights))[0].backward()
    expected = gradients(one, plain_loss(one, Curved(one.weights)))
    assert_equal_gradients([one.states.grad, one.layer.weight.grad], expected[:2])


def test_a_second_walk_backwards_is_refused():
    one = case()
    loss, _ = objective_loss(Head(one.layer), one.states, one.targets, Curved(one.weights))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="one backward pass only"):
        loss.backward()


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_without_targets_loss_and_gradients_are_zero(is_wrapped):
    one = case(count=0)
    head = Head(nn.Sequential(one.layer) if is_wrapped else one.layer)
    loss, stats = objective_loss(
        head, one.states, one.targets, Curved(one.weights), entropy="gradient"
    )
    loss.backward()
    assert float(loss.detach()) == 0.0 and len(stats.logp) == 0
    assert float(one.layer.weight.grad.abs().sum()) == 0.0


@pytest.mark.parametrize("way", ["weights", "autocast"])
def test_bfloat16_is_summed_in_float32_and_is_off_by_rounding_only(way):
    exact = case(count=600)
    objective = Curved(exact.weights)
    expected = gradients(exact, plain_loss(exact, objective))
    dtype = torch.bfloat16 if way == "weights" else torch.float32
    layer = nn.Linear(WIDTH, VOCABULARY).to(dtype)
    layer.load_state_dict(exact.layer.state_dict())
    states = exact.states.detach().to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=way == "autocast"):
        loss, stats = objective_loss(Head(layer), states, exact.targets, objective, chunk=8)
    assert stats.logp.dtype == torch.float32
    found = torch.autograd.grad(2.0 * loss, [states, *layer.parameters()])
    assert [g.dtype for g in found] == [dtype] * 3
    # 75 chunks: rounding every partial sum to bfloat16 would lose more than 1 %.
    assert_equal_gradients([g.double() for g in found], expected, tolerance=0.01)


def test_float32_statistics_stay_exact_at_large_logits():
    layer = nn.Linear(1, 3, bias=False)
    layer.weight.data = torch.tensor([[300.0], [0.0], [-300.0]])
    found = score_targets(Head(layer), torch.ones(3, 1), torch.arange(3), entropy=True)
    torch.testing.assert_close(found.logp, torch.tensor([0.0, -300.0, -600.0]))
    torch.testing.assert_close(found.entropy, torch.zeros(3))


def test_a_masked_token_has_no_probability_and_no_gradient():
    one = case()
    masks = {"masks": torch.arange(VOCABULARY)[None] < 18, "allowed": torch.zeros(COUNT).long()}
    arguments = (Head(one.layer), one.states, one.targets, Curved(one.weights))
    loss, _ = objective_loss(*arguments, entropy="gradient", **masks)
    _, weight, bias = gradients(one, loss)
    assert float(weight[18:].abs().sum() + bias[18:].abs().sum()) == 0.0
    every = [
        score_targets(Head(one.layer), one.states, torch.full((COUNT,), t), **masks).logp.exp()
        for t in range(VOCABULARY)
    ]
    torch.testing.assert_close(torch.stack(every[:18]).sum(0), torch.ones(COUNT, dtype=DOUBLE))
    assert float(torch.stack(every[18:]).sum()) == 0.0


def test_masks_without_rows_are_refused():
    one = case()
    masks = torch.ones(1, VOCABULARY, dtype=torch.bool)
    with pytest.raises(ValueError, match="belong together"):
        score_targets(Head(one.layer), one.states, one.targets, masks=masks)
