import random
from collections import Counter

from worldtune.domains.text_game.runner.child.rollouts import sample_actions

ACTIONS = ["look", *(f"put {n}" for n in range(900)), "take a", "take b"]


def test_verbs_are_equally_likely_however_many_actions_they_have():
    generator = random.Random(0)
    drawn = Counter(sample_actions(ACTIONS, 1, generator)[0].split()[0] for _ in range(600))
    assert set(drawn) == {"look", "put", "take"}
    assert all(150 < count < 250 for count in drawn.values())


def test_actions_are_drawn_once():
    chosen = sample_actions(ACTIONS, 60, random.Random(1))
    assert len(set(chosen)) == 60
    assert {"look", "take a", "take b"} <= set(chosen)


def test_none_or_a_large_count_takes_all_in_order():
    assert sample_actions(ACTIONS, None, random.Random(0)) == ACTIONS
    assert sample_actions(ACTIONS[:2], 5, random.Random(0)) == ACTIONS[:2]


def test_equal_seeds_draw_equal_actions():
    draws = [sample_actions(ACTIONS, 5, random.Random("mint 3")) for _ in range(2)]
    assert draws[0] == draws[1]
