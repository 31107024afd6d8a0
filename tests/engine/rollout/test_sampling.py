"""Draws by counter: reproducible, uniform, faithful to the distribution and to its limits."""

import pytest
import torch
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from worldtune.engine.rollout import sampling as sampling_module
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


def truncated(logits, sampling):
    """[vocabulary] what tokens should be drawn from, by transformers' own rules in their order."""
    scores = logits[None] / sampling.temperature
    if sampling.top_k:
        scores = TopKLogitsWarper(sampling.top_k)(None, scores)
    if sampling.top_p < 1:
        scores = TopPLogitsWarper(sampling.top_p)(None, scores)
    if sampling.min_p:
        scores = MinPLogitsWarper(sampling.min_p)(None, scores)
    return scores[0].softmax(-1)


SETTINGS = [
    Sampling(),
    Sampling(temperature=0.6),
    Sampling(temperature=1.7),
    Sampling(top_k=17),
    Sampling(top_p=0.7),
    Sampling(min_p=0.1),
    Sampling(temperature=0.8, top_k=150, top_p=0.95, min_p=0.01),
]


@pytest.mark.parametrize("vocabulary", [6, 128, 300, 1000])
@pytest.mark.parametrize("sampling", SETTINGS)
def test_tokens_follow_the_truncated_softmax(vocabulary, sampling):
    logits = torch.randn(
        vocabulary, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    )
    expected = truncated(logits * 1.5, sampling)
    tokens, logp = choose((logits * 1.5).expand(NUM, -1), draws(), sampling)
    kept = expected > 0
    assert bool(kept[tokens].all())
    counts = torch.bincount(tokens, minlength=vocabulary)[kept].double()
    wanted = NUM * expected[kept]
    rare = wanted < 5
    if rare.any():
        counts = torch.cat([counts[~rare], counts[rare].sum()[None]])
        wanted = torch.cat([wanted[~rare], wanted[rare].sum()[None]])
    chi_square = float(((counts - wanted) ** 2 / wanted).sum())
    # The normal approximation of Wilson and Hilferty: exceeded less than once in 10,000.
    freedom = max(1, len(counts) - 1)
    limit = freedom * (1 - 2 / (9 * freedom) + 3.8 * (2 / (9 * freedom)) ** 0.5) ** 3
    assert chi_square < limit
    torch.testing.assert_close(logp, expected.log()[tokens], rtol=0, atol=1e-12)


def test_a_draw_maps_to_the_token_whose_share_of_the_unit_interval_holds_it():
    probs = torch.full((1, 300), 1 / 300, dtype=torch.float64)
    places = torch.arange(300, dtype=torch.float64)
    for offset in (0.01, 0.5, 0.99):
        tokens, _ = choose(probs.log().expand(300, -1), (places + offset) / 300, Sampling())
        assert tokens.tolist() == list(range(300))


def test_large_batches_are_drawn_in_pieces_with_the_same_result(monkeypatch):
    logits = torch.randn(40, 300, generator=torch.Generator().manual_seed(0))
    whole = choose(logits, draws(count=40), Sampling(top_p=0.9))
    monkeypatch.setattr(sampling_module, "_AT_ONCE", 7 * 300)
    pieces = choose(logits, draws(count=40), Sampling(top_p=0.9))
    assert torch.equal(whole[0], pieces[0])
    assert torch.equal(whole[1], pieces[1])


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
@pytest.mark.parametrize("vocabulary", [9, 256, 300])
@pytest.mark.parametrize("allowed", [(0, 1), (3, 4), (-2, -1), (1, -2)])
def test_draws_at_the_very_ends_stay_on_allowed_tokens(uniform, vocabulary, allowed):
    logits = torch.full((1, vocabulary), float("-inf"))
    logits[:, list(allowed)] = 0.0
    tokens, logp = choose(logits, torch.tensor([uniform], dtype=torch.float64), Sampling())
    assert int(tokens) == allowed[uniform > 0] % vocabulary
    assert float(logp) == pytest.approx(-0.6931472)


def test_a_nucleus_wider_than_the_first_guess_is_found():
    logits = torch.zeros(50, 1000)
    logits[:, 300:] = -20.0
    tokens, logp = choose(logits, draws(count=50), Sampling(top_p=0.999))
    assert int(tokens.max()) < 300
    torch.testing.assert_close(logp, torch.full((50,), -5.7037825))


@pytest.mark.parametrize("vocabulary", [5, 128, 300])
def test_the_first_of_equally_likely_tokens_is_the_greedy_one(vocabulary):
    logits = torch.zeros(2, vocabulary)
    logits[1, [vocabulary // 2, vocabulary - 1]] = 1.0
    tokens, _ = choose(logits, draws(count=2), Sampling(temperature=0.0))
    assert tokens.tolist() == [0, vocabulary // 2]


def test_half_precision_logits_are_sampled_in_float32():
    logits = torch.zeros(NUM, 4, dtype=torch.bfloat16)
    tokens, logp = choose(logits, draws(), Sampling())
    assert logp.dtype == torch.float32
    assert int(torch.bincount(tokens).min()) > 0.23 * NUM
