"""Advantages by hand and against scalar arithmetic written independently, in float64."""

import statistics

import pytest
import torch

from worldtune.engine.learn.advantages import advantages, batch_moments, finish_std, is_signal

KINDS = ("grpo", "dr_grpo", "rloo", "reinforce_pp")
ROWS = [[0.1, 0.9, 0.5, 0.5], [2.0, 2.0, 5.0, -1.0], [0.25, 0.25, 0.25, 0.25]]


def double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def spread_of(rewards):
    return finish_std(batch_moments(rewards))


def plain(kind, row, batch):
    """One group by textbook formulas; ``batch`` holds the centred rewards of all groups."""
    mean, count = statistics.fmean(row), len(row)
    if kind == "grpo":
        return [(r - mean) / (statistics.stdev(row) + 1e-6) for r in row]
    if kind == "rloo":
        return [r - (sum(row) - r) / (count - 1) for r in row]
    if kind == "reinforce_pp":
        return [(r - mean) / (statistics.stdev(batch) + 1e-6) for r in row]
    return [r - mean for r in row]


@pytest.mark.parametrize("kind", KINDS)
def test_groups_equal_the_textbook_formula(kind):
    centred = [r - statistics.fmean(row) for row in ROWS for r in row]
    found = advantages(kind, double(ROWS), batch_std=spread_of(double(ROWS))).tolist()
    for row, values in zip(ROWS[:2], found[:2], strict=True):
        assert values == pytest.approx(plain(kind, row, centred), abs=1e-12)
    assert found[2] == [0.0] * 4


def test_one_right_answer_of_five_by_hand():
    rewards = torch.tensor([[1.0, 0, 0, 0, 0]])
    expected = {
        "grpo": [1.7889, -0.4472],  # 0.8 / sqrt(0.2), -0.2 / sqrt(0.2)
        "dr_grpo": [0.8, -0.2],
        "rloo": [1.0, -0.25],
        "reinforce_pp": [1.7889, -0.4472],  # the group is the batch
    }
    for kind, (right, wrong) in expected.items():
        found = advantages(kind, rewards, batch_std=spread_of(rewards))
        torch.testing.assert_close(found, torch.tensor([[right, *[wrong] * 4]]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1 / 3, -1234.5678])
def test_equal_rewards_teach_exactly_nothing(value, kind):
    rewards = torch.full((2, 7), value)
    assert advantages(kind, rewards, batch_std=spread_of(rewards)).abs().max() == 0
    assert not is_signal(rewards).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_difference_of_rounding_teaches_exactly_nothing(kind):
    rewards = torch.tensor([[0.1 + 0.2, 0.3, 0.6 / 2], [0.0, 0.0, 1e-3]])
    rewards[0] += torch.tensor([0.0, 3e-8, -3e-8])
    assert is_signal(rewards).tolist() == [False, True]
    found = advantages(kind, rewards, batch_std=spread_of(rewards))
    assert found[0].abs().max() == 0 and found[1].abs().min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_of_two_and_its_mean_of_zero(kind):
    rewards = double([[0.0, 1.0], [3.0, 2.0]])
    found = advantages(kind, rewards, batch_std=spread_of(rewards))
    assert found.sum(dim=1).tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
    assert float(found[0, 1]) == pytest.approx(-float(found[0, 0])) and found[0, 1] > 0


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo", "rloo"])
def test_groups_do_not_see_each_other(kind):
    alone = [advantages(kind, double([row])) for row in ROWS]
    assert torch.equal(advantages(kind, double(ROWS)), torch.cat(alone))


def test_the_spread_of_a_batch_is_the_same_from_summed_parts():
    whole = spread_of(double(ROWS))
    parts = sum(batch_moments(double([row])) for row in ROWS)
    torch.testing.assert_close(finish_std(parts), whole, rtol=1e-14, atol=0)
    centred = [r - statistics.fmean(row) for row in ROWS for r in row]
    assert float(whole) == pytest.approx(statistics.stdev(centred), abs=1e-12)
    assert batch_moments(torch.tensor(ROWS)).dtype == torch.float64


def test_a_batch_without_completions_has_no_spread():
    assert float(finish_std(torch.zeros(2, dtype=torch.float64))) == 0.0


def test_the_batch_kind_asks_for_the_spread_of_the_batch():
    with pytest.raises(ValueError, match="batch_std"):
        advantages("reinforce_pp", double(ROWS))


def test_a_group_of_one_cannot_be_compared():
    with pytest.raises(ValueError, match="group_size must be at least 2"):
        advantages("grpo", double([[1.0]]))
