"""Completions: their log-probabilities, their independence of each other, and what plans force."""

import dataclasses

import pytest
import torch

from tests.engine.tiny import VOCABULARY, clean_float64, plain_copy, plain_logp, tiny_model
from worldtune.engine.model.policy import as_policy
from worldtune.engine.rollout import rollouts
from worldtune.engine.rollout.plan import GenPlan, Rollouts, TokenSpec
from worldtune.engine.rollout.rollouts import BuiltinRollouts
from worldtune.engine.rollout.sampling import Sampling

EOS = 1
PROMPTS = [[5, 6, 7, 8, 9, 10], [11], [12, 13, 14], [15, 16, 17, 18]]
NUMBERS = [100, 101, 102, 103]
STOPPING = GenPlan(12, stop=frozenset({EOS, 2, 3, 4}))
SAMPLING = Sampling(seed=5, step=2)


def engine_of(model, path="auto"):
    return BuiltinRollouts(as_policy(model, path=path), TokenSpec(VOCABULARY, pad=0, eos=EOS))


def engine(architecture="qwen2", **options):
    return engine_of(tiny_model(architecture, **options))


def generate(made, prompts=PROMPTS, numbers=NUMBERS, group=5, plan=STOPPING, sampling=SAMPLING):
    return made.generate(prompts, numbers, group=group, plan=plan, sampling=sampling)


def by_prompt(found: Rollouts, numbers, group):
    """Prompt number -> completions with their log-probabilities."""
    result = {}
    for row in range(len(found.lengths)):
        length = int(found.lengths[row])
        logp = found.logp[row, :length].tolist()
        result.setdefault(numbers[row // group], []).append((found.completion(row), logp))
    return result


def assert_same(found, expected):
    """Equal completions; beside other neighbours the last digits of float32 may differ."""
    assert found.keys() == expected.keys()
    for number, samples in found.items():
        for (ids, logp), (other_ids, other_logp) in zip(samples, expected[number], strict=True):
            assert ids == other_ids
            assert logp == pytest.approx(other_logp, abs=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize(
    ("architecture", "kv_heads", "tied"),
    [("qwen2", 4, False), ("llama", 2, False), ("qwen3", 1, True)],
)
def test_log_probabilities_equal_a_full_forward_pass(architecture, kv_heads, tied, temperature):
    model = tiny_model(architecture, kv_heads=kv_heads, tied=tied)
    twin = plain_copy(model)
    sampling = dataclasses.replace(SAMPLING, temperature=temperature)
    found = generate(engine_of(model), sampling=sampling)
    for row in range(len(found.lengths)):
        completion = found.completion(row)
        prompt = PROMPTS[int(found.group[row])]
        expected = plain_logp(twin, prompt, completion, temperature)
        kept = found.logp[row, : len(completion)]
        torch.testing.assert_close(kept, expected.detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("path", ["lean", "interface", "cached"])
@pytest.mark.parametrize("architecture", ["qwen2", "llama", "qwen3"])
def test_in_float64_log_probabilities_are_exact_on_every_path(monkeypatch, architecture, path):
    clean_float64(monkeypatch, architecture)
    model = tiny_model(architecture, kv_heads=2, dtype=torch.float64)
    twin = plain_copy(model)
    made = engine_of(model, path)
    assert made.policy.path.name == path
    found = generate(made, group=3)
    assert found.logp.dtype == torch.float64
    for row in range(len(found.lengths)):
        completion = found.completion(row)
        expected = plain_logp(twin, PROMPTS[int(found.group[row])], completion).detach()
        kept = found.logp[row, : len(completion)]
        torch.testing.assert_close(kept, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("path", ["interface", "cached"])
def test_every_path_draws_the_same_rollouts(monkeypatch, path):
    clean_float64(monkeypatch, "qwen2")
    plan = GenPlan(40, stop=frozenset({1, 2}))
    made = [engine_of(tiny_model(kv_heads=2, dtype=torch.float64), name) for name in ("lean", path)]
    left, right = (generate(each, group=7, plan=plan) for each in made)
    assert len(set(left.lengths.tolist())) > 4, "rows must be dropped on the way"
    assert torch.equal(left.ids, right.ids)
    assert torch.equal(left.finished, right.finished)
    torch.testing.assert_close(left.logp, right.logp, rtol=0, atol=1e-12)


def test_a_call_in_parts_gives_what_one_call_gives():
    made = engine(kv_heads=2)
    forced = torch.full((len(PROMPTS), 12), -1)
    forced[:, 2] = torch.tensor([20, 21, 22, 23])
    plan = dataclasses.replace(STOPPING, forced=forced)
    whole = generate(made, plan=plan)
    for cached_tokens in (1, 130, 10**6):
        parts = generate(dataclasses.replace(made, cached_tokens=cached_tokens), plan=plan)
        for name in ("ids", "lengths", "loss_mask", "group", "finished"):
            assert torch.equal(getattr(parts, name), getattr(whole, name)), name
        torch.testing.assert_close(parts.logp, whole.logp, rtol=1e-4, atol=1e-4)


def test_large_calls_hold_a_bounded_number_of_tokens(monkeypatch):
    made = engine()
    made.cached_tokens = 2 * (6 + 5 * 12)
    calls = []
    prefill = type(made.policy.path).prefill

    def counted(self, prompts, **sizes):
        calls.append([len(p) for p in prompts])
        return prefill(self, prompts, **sizes)

    monkeypatch.setattr(type(made.policy.path), "prefill", counted)
    generate(made)
    assert calls == [[6, 1], [3, 4]]


def test_greedy_completions_are_those_of_transformers():
    model = tiny_model(kv_heads=2)
    twin = plain_copy(model)
    plan, greedy = GenPlan(10, stop=frozenset({EOS})), Sampling(temperature=0.0)
    found = generate(engine_of(model), group=1, plan=plan, sampling=greedy)
    for row, prompt in enumerate(PROMPTS):
        ids = torch.tensor([prompt])
        whole = twin.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False
        )
        assert found.completion(row) == whole[0, len(prompt) :].tolist()


def test_a_rollout_does_not_depend_on_the_rest_of_the_batch():
    made = engine(kv_heads=2)
    together = by_prompt(generate(made), NUMBERS, 5)
    order = [2, 0, 3, 1]
    shuffled = generate(made, [PROMPTS[i] for i in order], [NUMBERS[i] for i in order])
    assert_same(by_prompt(shuffled, [NUMBERS[i] for i in order], 5), together)
    for prompt, number in zip(PROMPTS, NUMBERS, strict=True):
        alone = by_prompt(generate(made, [prompt], [number]), [number], 5)
        assert_same(alone, {number: together[number]})
    fewer = by_prompt(generate(made, group=2), NUMBERS, 2)
    assert_same(fewer, {number: samples[:2] for number, samples in together.items()})


def test_seed_step_and_prompt_number_change_the_draws():
    made, plan = engine(), GenPlan(8)
    base = generate(made, plan=plan).ids
    for sampling in (Sampling(seed=6, step=2), Sampling(seed=5, step=3)):
        assert not torch.equal(generate(made, plan=plan, sampling=sampling).ids, base)
    other = generate(made, plan=plan, numbers=[n + 10 for n in NUMBERS]).ids
    assert not torch.equal(other, base)
    assert torch.equal(generate(made, plan=plan).ids, base)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_dropping_finished_rows_does_not_change_results(monkeypatch, share):
    plan = GenPlan(24, stop=frozenset(range(1, 7)))
    made = engine(kv_heads=2)
    monkeypatch.setattr(rollouts, "_COMPACT_BELOW", -1.0)
    expected = generate(made, group=7, plan=plan)
    assert len(set(expected.lengths.tolist())) > 4, "rows must finish at different positions"
    monkeypatch.setattr(rollouts, "_COMPACT_BELOW", share)
    found = generate(made, group=7, plan=plan)
    assert torch.equal(found.ids, expected.ids)
    assert torch.equal(found.lengths, expected.lengths)
    assert torch.equal(found.finished, expected.finished)
    assert torch.equal(found.loss_mask, expected.loss_mask)
    torch.testing.assert_close(found.logp, expected.logp, rtol=1e-4, atol=1e-4)


def test_finished_rows_are_really_dropped(monkeypatch):
    made = engine()
    widths = []
    _, decoder = made.policy.path.prefill([[5]], samples=1, max_new=2)
    step = type(decoder).step

    def counted(self, tokens):
        widths.append(len(tokens))
        return step(self, tokens)

    monkeypatch.setattr(type(decoder), "step", counted)
    generate(made, group=7, plan=GenPlan(24, stop=frozenset(range(1, 12))))
    assert widths[0] > widths[-1]


def test_the_stop_token_belongs_to_the_completion_and_ends_it():
    found = generate(engine())
    assert found.finished.any()
    for row in range(len(found.lengths)):
        completion = found.completion(row)
        inside = [token for token in completion[:-1] if token in STOPPING.stop]
        assert not inside
        assert (completion[-1] in STOPPING.stop) == bool(found.finished[row])
        assert bool(found.finished[row]) or len(completion) == STOPPING.max_new
        length = len(completion)
        assert bool((found.ids[row, length:] == 0).all())
        assert bool((found.logp[row, length:] == 0).all())
        assert found.loss_mask[row].tolist() == [
            place < length for place in range(found.ids.shape[1])
        ]


def test_all_rows_may_finish_at_the_first_token():
    everything = frozenset(range(VOCABULARY))
    found = generate(engine(), plan=GenPlan(9, stop=everything))
    assert found.ids.shape == (20, 1)
    assert found.lengths.tolist() == [1] * 20
    assert bool(found.finished.all())
    assert bool(found.loss_mask.all())


def test_without_stop_ids_every_completion_has_the_full_length():
    found = generate(engine(), plan=GenPlan(6))
    assert found.lengths.tolist() == [6] * 20
    assert bool(found.finished.all())


def test_a_single_new_token_needs_no_decoding_step():
    found = generate(engine(), plan=GenPlan(1, stop=frozenset({EOS})))
    assert found.ids.shape == (20, 1)
    assert found.finished.tolist() == (found.ids[:, 0] == EOS).tolist()


def test_forced_tokens_are_in_the_ids_but_neither_scored_nor_trained():
    model = tiny_model(kv_heads=2)
    twin = plain_copy(model)
    forced = torch.full((len(PROMPTS), 6), -1)
    forced[:, 0] = torch.tensor([20, 21, 22, 23])
    forced[1, 3] = 25
    found = generate(engine_of(model), plan=GenPlan(6, forced=forced))
    for row in range(len(found.lengths)):
        given = forced[int(found.group[row])] >= 0
        assert torch.equal(found.ids[row][given], forced[int(found.group[row])][given])
        assert torch.equal(found.loss_mask[row], ~given)
        assert bool((found.logp[row][given] == 0).all())
        expected = plain_logp(twin, PROMPTS[int(found.group[row])], found.completion(row)).detach()
        torch.testing.assert_close(found.logp[row][~given], expected[~given], rtol=1e-4, atol=1e-4)


def test_forced_tokens_follow_their_prompt_when_rows_are_dropped(monkeypatch):
    forced = torch.full((len(PROMPTS), 10), -1)
    forced[:, 7] = torch.tensor([20, 21, 22, 23])
    plan = GenPlan(10, forced=forced, stop=frozenset(range(1, 7)))
    monkeypatch.setattr(rollouts, "_COMPACT_BELOW", 1.0)
    found = generate(engine(), group=7, plan=plan)
    reached = [row for row in range(28) if int(found.lengths[row]) > 7]
    assert 0 < len(reached) < 28
    for row in reached:
        assert int(found.ids[row, 7]) == 20 + row // 7


def test_a_forced_stop_token_ends_the_completion():
    forced = torch.full((len(PROMPTS), 5), -1)
    forced[2, 1] = EOS
    masks = torch.ones(1, VOCABULARY, dtype=torch.bool)
    masks[0, EOS] = False
    allowed = torch.zeros(5, dtype=torch.long)
    plan = GenPlan(5, forced=forced, masks=masks, allowed=allowed, stop=frozenset({EOS}))
    found = generate(engine(), plan=plan)
    lengths = found.lengths.view(4, 5)
    assert lengths[2].tolist() == [2] * 5
    assert lengths[[0, 1, 3]].unique().tolist() == [5]


def test_the_output_layer_is_not_asked_where_all_tokens_are_given(monkeypatch):
    forced = torch.full((len(PROMPTS), 6), -1)
    forced[:, 1:4] = 20
    asked = []
    made = engine()
    logits = type(made.policy.head).logits

    def counted(self, states):
        asked.append(len(states))
        return logits(self, states)

    monkeypatch.setattr(type(made.policy.head), "logits", counted)
    found = generate(made, plan=GenPlan(6, forced=forced))
    assert len(asked) == 3
    assert found.loss_mask[0].tolist() == [True, False, False, False, True, True]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (GenPlan(0), "at least 1"),
        (GenPlan(3, forced=torch.zeros(4, 2)), r"\(4, 2\).*\(4, 3\)"),
        (GenPlan(3, masks=torch.ones(1, 5, dtype=torch.bool)), "both or none"),
        (GenPlan(1, masks=torch.zeros(1, 5).bool(), allowed=torch.zeros(1)), "allows no token"),
        (GenPlan(3, masks=torch.ones(1, 5).bool(), allowed=torch.zeros(2)), "3 positions"),
    ],
)
def test_an_impossible_plan_is_refused(plan, message):
    with pytest.raises(ValueError, match=message):
        generate(engine(), plan=plan)


def test_an_empty_prompt_is_refused_by_its_place():
    with pytest.raises(ValueError, match=r"prompts \[1\] have no token"):
        generate(engine(), [[5], []], [1, 2], plan=GenPlan(2))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_masks_restrict_each_position(temperature):
    masks = torch.zeros(3, VOCABULARY, dtype=torch.bool)
    masks[0, 10:20], masks[1, 20:22], masks[2] = True, True, True
    allowed = torch.tensor([0, 1, 0, 2])
    sampling = Sampling(temperature=temperature, seed=1)
    plan = GenPlan(4, masks=masks, allowed=allowed)
    found = generate(engine(), group=6, plan=plan, sampling=sampling)
    for time, which in enumerate(allowed.tolist()):
        assert bool(masks[which][found.ids[:, time]].all())
    assert bool(torch.isfinite(found.logp).all())


def test_masked_log_probabilities_are_those_of_the_restricted_distribution():
    model = tiny_model()
    twin = plain_copy(model)
    masks = torch.zeros(1, VOCABULARY, dtype=torch.bool)
    masks[0, 10:14] = True
    plan = GenPlan(1, masks=masks, allowed=torch.zeros(1, dtype=torch.long))
    found = generate(engine_of(model), plan=plan)
    for row in range(20):
        prompt = torch.tensor([PROMPTS[row // 5]])
        logits = twin(input_ids=prompt).logits[0, -1, 10:14]
        expected = logits.log_softmax(-1)[int(found.ids[row, 0]) - 10]
        torch.testing.assert_close(found.logp[row, 0], expected.detach(), rtol=1e-4, atol=1e-4)


def test_the_version_of_the_weights_is_reported_and_training_mode_is_kept():
    made = engine()
    made.policy.model.train()
    made.update_weights(17)
    assert generate(made).weight_version == 17
    assert made.policy.model.training
