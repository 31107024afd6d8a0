"""Draws by counter: reproducible, uniform, faithful to the distribution and to its limits."""

import pytest
import torch

from worldtune.engine.rollout.sampling import Sampling, choose, counter_uniform

NUM = 20_000


def draws(seed=1, step=0, count=NUM, time=0):
    return counter_uniform(seed, step, torch.arange(count), 0, time)


def test_uniform_numbers_lie_in_the_half_open_unit_interval():
    values = draws(count=200_000)
    assert values.dtype == torch.float64
    assert float(values.min()) >= 0.0 and float(values.max()) < 1.0


def test_uniform_numbers_fill_the_interval_evenly():
    counts = torch.histc(draws(count=100_000).float(), bins=50, min=0, max=1).double()
    chi_square = float(((counts - 2000) ** 2 / 2000).sum())
    assert chi_square < 94.0  # 49 degrees of freedom: exceeded once in 10,000


@pytest.mark.parametrize("axis", ["seed", "step", "prompt", "sample", "time"])
def test_neighbouring_counters_are_not_correlated(axis):
    names = ("seed", "step", "prompt", "sample", "time")
    base = dict.fromkeys(names, 3)
    counters = [torch.arange(NUM) if name == axis else base[name] for name in names]
    values = counter_uniform(*counters)
    left, right = values[:-1] - 0.5, values[1:] - 0.5
    correlation = float((left * right).mean() * 12)
    assert abs(correlation) < 4 / NUM**0.5
    shifted = counter_uniform(
        *(torch.as_tensor(c) + (n != axis) for n, c in zip(names, counters, strict=True))
    )
    other = float(((values - 0.5) * (shifted - 0.5)).mean() * 12)
    assert abs(other) < 4 / NUM**0.5


def test_each_counter_changes_the_draw_and_their_order_matters():
    base = (1, 2, 3, 4, 5)
    seen = {float(counter_uniform(*base))}
    for place in range(5):
        changed = list(base)
        changed[place] += 1
        seen.add(float(counter_uniform(*changed)))
    seen.add(float(counter_uniform(2, 1, 3, 4, 5)))
    seen.add(float(counter_uniform(1, 2, 4, 3, 5)))
    assert len(seen) == 8


def test_a_draw_depends_on_its_counters_alone():
    alone = counter_uniform(7, 3, torch.tensor([41]), torch.tensor([2]), 6)
    prompts, samples = torch.tensor([9, 41, 3]), torch.tensor([0, 2, 2])
    among = counter_uniform(7, 3, prompts, samples, 6)
    assert float(among[1]) == float(alone[0])


def test_plain_integers_join_the_device_of_the_tensors():
    values = counter_uniform(1, 2, torch.arange(3, device="meta"), 4)
    assert values.device.type == "meta"


def test_counters_of_any_kind_and_sign_are_accepted():
    values = counter_uniform(-1, torch.tensor([2**62, -(2**62), 0]))
    assert values.shape == (3,)
    assert bool(((values >= 0) & (values < 1)).all())


@pytest.mark.parametrize("temperature", [1.0, 0.6, 1.7])
def test_tokens_follow_the_tempered_softmax(temperature):
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, 0.5, -3.0])
    tokens, logp = choose(logits.expand(NUM, -1), draws(), Sampling(temperature=temperature))
    expected = (logits / temperature).softmax(-1)
    counts = torch.bincount(tokens, minlength=6).double()
    chi_square = float(((counts - NUM * expected) ** 2 / (NUM * expected)).sum())
    assert chi_square < 25.7  # 5 degrees of freedom: exceeded once in 10,000
    torch.testing.assert_close(logp, expected.log()[tokens])


def test_top_k_keeps_the_k_likeliest_and_renormalises():
    logits = torch.tensor([0.1, 2.0, 1.0, -1.0, 1.5])
    tokens, logp = choose(logits.expand(NUM, -1), draws(), Sampling(top_k=3))
    assert set(tokens.tolist()) == {1, 2, 4}
    kept = logits[[1, 2, 4]].log_softmax(-1)
    assert float(logp[tokens == 1][0]) == pytest.approx(float(kept[0]), abs=1e-6)


def test_top_k_beyond_the_vocabulary_changes_nothing():
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0))
    whole = choose(logits, draws(count=50), Sampling())
    cut = choose(logits, draws(count=50), Sampling(top_k=100))
    assert torch.equal(whole[0], cut[0])


@pytest.mark.parametrize(
    ("top_p", "support"),
    [(0.4, {2}), (0.5, {2}), (0.6, {2, 0}), (0.85, {2, 0, 3}), (0.0, {2}), (1.0, {0, 1, 2, 3})],
)
def test_top_p_keeps_the_smallest_set_that_reaches_the_mass(top_p, support):
    logits = torch.tensor([0.25, 0.0625, 0.5, 0.1875]).log()
    tokens, _ = choose(logits.expand(NUM, -1), draws(), Sampling(top_p=top_p))
    assert set(tokens.tolist()) == support


def test_temperature_zero_takes_the_likeliest_with_its_untempered_log_probability():
    logits = torch.randn(40, 11, generator=torch.Generator().manual_seed(0))
    tokens, logp = choose(logits, draws(count=40), Sampling(temperature=0.0))
    assert torch.equal(tokens, logits.argmax(-1))
    torch.testing.assert_close(logp, logits.log_softmax(-1).max(-1).values)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_excluded_tokens_are_never_chosen(temperature):
    logits = torch.full((NUM, 9), float("-inf"))
    logits[:, 3], logits[:, 5] = 0.0, 1.0
    tokens, logp = choose(logits, draws(), Sampling(temperature=temperature))
    assert set(tokens.tolist()) <= {3, 5}
    assert bool(torch.isfinite(logp).all())


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53, 1.0])
@pytest.mark.parametrize("allowed", [(0, 1), (3, 4), (7, 8)])
def test_draws_at_the_very_ends_stay_on_allowed_tokens(uniform, allowed):
    logits = torch.full((1, 9), float("-inf"))
    logits[:, list(allowed)] = 0.0
    tokens, logp = choose(logits, torch.tensor([uniform], dtype=torch.float64), Sampling())
    assert int(tokens) in allowed
    assert bool(torch.isfinite(logp).all())


def test_half_precision_logits_are_sampled_in_float32():
    logits = torch.zeros(NUM, 4, dtype=torch.bfloat16)
    tokens, logp = choose(logits, draws(), Sampling())
    assert logp.dtype == torch.float32
    assert int(torch.bincount(tokens).min()) > 0.23 * NUM
