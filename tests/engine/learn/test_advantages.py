"""Group-relative advantages by hand."""

import statistics

import pytest
import torch

from worldtune.engine.learn.advantages import group_advantages


def test_one_right_answer_of_five():
    found = group_advantages(torch.tensor([[1.0, 0, 0, 0, 0]]), normalize_std=True)
    expected = torch.tensor([[1.7889, -0.4472, -0.4472, -0.4472, -0.4472]])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_without_normalisation_the_scale_of_the_reward_stays():
    found = group_advantages(torch.tensor([[1.0, 0, 0, 0, 0]]), normalize_std=False)
    torch.testing.assert_close(found, torch.tensor([[0.8, -0.2, -0.2, -0.2, -0.2]]))


@pytest.mark.parametrize("normalize_std", [True, False])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1 / 3])
def test_equal_rewards_teach_exactly_nothing(value, normalize_std):
    rewards = torch.full((2, 7), value)
    assert group_advantages(rewards, normalize_std=normalize_std).abs().max() == 0


def test_groups_are_independent_and_equal_scalar_arithmetic():
    rows = [[0.1, 0.9, 0.5], [2.0, 2.0, 5.0], [0.25, 0.25, 0.25]]
    found = group_advantages(torch.tensor(rows, dtype=torch.float64), normalize_std=True).tolist()
    for row, values in zip(rows[:2], found[:2], strict=True):
        mean, std = statistics.fmean(row), statistics.stdev(row)
        assert values == pytest.approx([(r - mean) / (std + 1e-6) for r in row], abs=1e-12)
    assert found[2] == [0.0, 0.0, 0.0]
