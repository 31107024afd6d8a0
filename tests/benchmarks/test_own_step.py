import pytest
import torch

from benchmarks.own_step import OwnStep
from benchmarks.shapes import EOS, PAD, Shape, Width, build_model, draw_prompts, reward
from tests.engine.tiny import plain_logp
from worldtune.engine.model.batch import Group

TINY = Width(hidden=32, layers=2, heads=4, kv_heads=2, mlp=48, vocabulary=50)
SHAPE = Shape("tiny", 2, (4, 9), 6, 3, 3)


def test_the_same_seed_gives_both_sides_the_same_weights() -> None:
    first, second = build_model(TINY), build_model(TINY)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


def test_prompts_have_the_lengths_of_the_shape_and_no_special_tokens() -> None:
    prompts = draw_prompts(SHAPE, 50, vocabulary=TINY.vocabulary)
    assert {len(prompt) for prompt in prompts} == set(range(4, 10))
    assert min(map(min, prompts)) > max(PAD, EOS)


def test_reward_is_the_share_of_the_lower_half() -> None:
    assert reward([0, 1, 30, 49], 50) == 0.5


def test_the_end_token_is_never_sampled_and_a_step_moves_the_weights() -> None:
    step = OwnStep(build_model(TINY))
    before = step.policy.head.module.weight.detach().clone()
    prompts = draw_prompts(SHAPE, SHAPE.prompts, vocabulary=TINY.vocabulary)
    time = step(prompts, group=SHAPE.group, completion=SHAPE.completion_tokens)
    assert time.generation.cpu > 0
    assert time.training.cpu > 0
    assert time.update.cpu > 0
    assert not torch.equal(before, step.policy.head.module.weight)


def test_the_loss_is_the_clipped_surrogate_over_all_tokens() -> None:
    model = build_model(TINY)
    draw = torch.Generator().manual_seed(0)
    prompts = draw_prompts(SHAPE, SHAPE.prompts, vocabulary=TINY.vocabulary)
    completions = torch.randint(2, TINY.vocabulary, (2, 3, 6), generator=draw).tolist()
    values = torch.randn(2, 3, generator=draw).tolist()
    logp = torch.stack(
        [
            torch.stack([plain_logp(model, prompt, row) for row in rows])
            for prompt, rows in zip(prompts, completions, strict=True)
        ]
    ).detach()
    old = logp + 0.5 * torch.randn(logp.shape, generator=draw)
    ratio, advantage = (logp - old).exp(), torch.tensor(values)[..., None]
    expected = -torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()
    rows = zip(prompts, completions, values, old.tolist(), strict=True)
    loss = OwnStep(model).loss([Group(*row) for row in rows])
    assert loss == pytest.approx(float(expected), rel=1e-5)
