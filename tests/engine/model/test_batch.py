"""From groups to one packed row, by hand."""

import pytest
import torch

from worldtune.engine.model.batch import Group, bins, pack

CPU = torch.device("cpu")


def test_a_packed_row_by_hand():
    first = Group(
        [5, 6],
        [[7, 8, 9], [4]],
        advantages=(1.0, -0.5),
        old_logp=[[-1.0, -2.0, -3.0], [-4.0]],
        reference=[[-7.0, -8.0, -9.0], [-10.0]],
    )
    second = Group(
        [3],
        [[2, 1]],
        advantages=(0.25,),
        old_logp=[[-5.0, -6.0]],
        reference=[[-11.0, -12.0]],
        trained=[[False, True]],
    )
    batch = pack([first, second], device=CPU)
    assert batch.groups == (first, second)
    assert batch.input_ids.tolist() == [5, 6, 7, 8, 3, 2]
    assert batch.positions.tolist() == [0, 1, 2, 3, 0, 1]
    assert (batch.prompt_lengths, batch.own_lengths, batch.owner) == ([2, 1], [2, 0, 1], [0, 0, 1])
    assert batch.source.tolist() == [1, 2, 3, 1, 5]
    assert batch.targets.tolist() == [7, 8, 9, 4, 1]
    assert batch.sequence.tolist() == [0, 0, 0, 1, 2]
    assert batch.advantages.tolist() == [1.0, -0.5, 0.25]
    assert batch.old_logp.tolist() == [-1.0, -2.0, -3.0, -4.0, -6.0]
    assert batch.reference.tolist() == [-7.0, -8.0, -9.0, -10.0, -12.0]


def test_completions_of_one_token_feed_the_prompt_alone():
    batch = pack([Group([5, 6], [[7], [8]], advantages=(1.0, 2.0))], device=CPU)
    assert batch.input_ids.tolist() == [5, 6]
    assert batch.source.tolist() == [1, 1]
    assert batch.targets.tolist() == [7, 8]
    assert batch.sequence.tolist() == [0, 1]
    assert batch.old_logp.tolist() == [0.0, 0.0]
    assert batch.reference is None


def test_log_probabilities_of_some_groups_only_are_refused():
    groups = [Group([5], [[7]], old_logp=[[-1.0]]), Group([5], [[7]])]
    with pytest.raises(ValueError, match="1 of 2 groups lack log-probabilities"):
        pack(groups, device=CPU)


def test_a_completion_without_trained_tokens_keeps_its_place_among_the_completions():
    group = Group([5], [[7, 8], [9]], advantages=(1.0, 2.0), trained=[[False, False], [True]])
    batch = pack([group], device=CPU)
    assert batch.sequence.tolist() == [1]
    assert batch.source.tolist() == [0]
    assert batch.advantages.tolist() == [1.0, 2.0]


def test_tokens_and_targets_are_counted_without_the_last_token_and_forced_ones():
    group = Group([5, 6], [[7, 8, 9], [4]], trained=[[True, False, True], [False]])
    assert group.num_tokens == 2 + 2 + 0
    assert group.num_targets == 2
    assert Group([5], [[7, 8], [9]]).num_targets == 3


def sized(prompt, completion):
    return Group(list(range(prompt)), [list(range(completion))])


@pytest.mark.parametrize("limit", [1, 5, 12, 100])
def test_bins_hold_every_group_once_and_keep_to_the_limit(limit):
    groups = [sized(p, c) for p, c in ((9, 2), (1, 1), (4, 6), (4, 2), (2, 2), (7, 7))]
    parts = bins(groups, limit)
    assert sorted(id(g) for part in parts for g in part) == sorted(map(id, groups))
    for part in parts:
        assert len(part) == 1 or sum(g.num_tokens for g in part) <= limit


def test_bins_put_prompts_of_similar_length_together():
    groups = [sized(p, 1) for p in (9, 1, 8, 2)]
    assert [[len(g.prompt) for g in part] for part in bins(groups, 17)] == [[1, 2, 8], [9]]
