"""Metric names taken apart without knowing the domain."""

import pytest

from worldtune.reporting.metric_names import find, ordered, split_names

WEB = ["f1", "f1_hidden", "precision", "precision_hidden", "sampled_f1", "best_of_n_f1_hidden"]


@pytest.mark.parametrize(
    ("keys", "key", "parts"),
    [
        (WEB, "f1", ("greedy", "f1", "all")),
        (WEB, "precision_hidden", ("greedy", "precision", "hidden")),
        (WEB, "sampled_f1", ("sampled", "f1", "all")),
        (WEB, "best_of_n_f1_hidden", ("best_of_n", "f1", "hidden")),
        (["f1_all", "f1_hidden"], "f1_all", ("greedy", "f1", "all")),
        (["f1_all", "f1_hidden"], "f1_hidden", ("greedy", "f1", "hidden")),
        (["mse", "mse_last_frame", "mselike"], "mselike", ("greedy", "mselike", "all")),
        (["mse", "mse_last_frame"], "mse_last_frame", ("greedy", "mse", "last_frame")),
    ],
)
def test_names_are_taken_apart_at_the_metric_they_contain(keys, key, parts):
    name = next(n for n in split_names(keys) if n.key == key)
    assert (name.decoding, name.metric, name.subset) == parts


def test_find_gives_the_key_of_a_combination():
    names = split_names(WEB)
    assert find(names, decoding="greedy", metric="f1", subset="hidden") == "f1_hidden"
    assert find(names, decoding="sampled", metric="exact", subset="all") is None


def test_ordered_keeps_appearance_but_puts_the_first_in_front():
    assert ordered(["b", "a", "b", "all", "c"], "all") == ["all", "b", "a", "c"]
    assert ordered(["b", "a"], "all") == ["b", "a"]
