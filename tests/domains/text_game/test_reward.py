"""Strict rewards and metrics against answers computed by hand."""

import pytest

from tests.domains.text_game_case import BEFORE, NEW, START, changed
from worldtune.domains.text_game.metrics import metrics
from worldtune.domains.text_game.reward import agreement, score
from worldtune.domains.text_game.state import Changes, make_state

STATE = make_state(BEFORE, START)
TRUE = Changes(
    modified=((2, "temp", 30), (2, "on", True)), added=(NEW,), removed=(3,), score=(("score", 1),)
)
NOTHING = Changes()


def values(prediction, true=TRUE):
    found = metrics(prediction, true, STATE)
    return [found[name] for name in ("precision", "recall", "f1", "exact")]


def test_the_truth_is_right_whatever_its_order():
    turned = Changes(TRUE.modified[::-1], TRUE.added, TRUE.removed, TRUE.score)
    assert values(TRUE) == values(turned) == [1, 1, 1, 1]


def test_half_of_the_items_is_half_the_recall():
    # 2 of 2 predicted and 2 of 5 true items agree.
    assert values(Changes(modified=TRUE.modified)) == [1, 0.4, 4 / 7, 0]


def test_inventions_and_wrong_values_cost_precision():
    wrong = Changes(modified=((2, "temp", 31), (2, "on", True), (99, "on", True)), removed=(5,))
    # 1 of 4 predicted and 1 of 5 true items agree.
    assert values(wrong) == [0.25, 0.2, 2 / 9, 0]


def test_an_addition_that_differs_anywhere_is_wrong():
    colder = Changes(added=(changed(NEW, temp=99),))
    assert values(colder, Changes(added=(NEW,))) == [0, 0, 0, 0]


def test_a_removal_left_out_is_missed():
    left_out = Changes(TRUE.modified, TRUE.added, (), TRUE.score)
    assert values(left_out) == [1, 0.8, 8 / 9, 0]


def test_what_is_so_already_costs_nothing():
    same = Changes(modified=((2, "on", False), (3, "temp", 20)), score=(("score", 0),))
    assert values(same, NOTHING) == [1, 1, 1, 1]


def test_nothing_against_something_is_worth_nothing():
    assert values(NOTHING) == values(TRUE, NOTHING) == [0, 0, 0, 0]


def test_an_unreadable_answer_is_worth_nothing():
    assert values(None) == [0, 0, 0, 0]
    for kind in ("f1", "exact", "shaped"):
        result = score(kind, None, TRUE, STATE)
        assert (result.total, result.parsed, result.parts["format"]) == (0, False, 0)


def test_rewards_are_f1_exact_and_their_weighted_mean():
    half = Changes(modified=TRUE.modified)
    assert score("f1", half, TRUE, STATE).total == 4 / 7
    assert score("exact", half, TRUE, STATE).total == 0
    # 26 facts of the true state (3 a name and type and content each, see below), 24 of ours.
    first = sum(len(thing["properties"]) + 3 for thing in BEFORE) + 3
    true = first - 5 + 4  # water has two properties beside the three, steam one
    common = first - 5 - 1  # all but what water and the score are in ours
    share = common / (first + true - common)
    total = score("shaped", half, TRUE, STATE).total
    assert total == pytest.approx((0.1 * share + 4 / 7) / 1.3, abs=1e-12)


@pytest.mark.parametrize("kind", ["f1", "exact", "shaped"])
def test_the_truth_earns_one_on_changed_and_unchanged_rows(kind):
    assert score(kind, TRUE, TRUE, STATE).total == pytest.approx(1.0, abs=1e-12)
    assert score(kind, NOTHING, NOTHING, STATE).total == pytest.approx(1.0, abs=1e-12)


def test_agreement_counts_facts_of_both_states():
    small = make_state(BEFORE[:1], START)
    # room: name, type, contains; score: three keys. Then the score differs in one of its keys.
    assert agreement(small, small) == 1
    assert agreement(small, make_state(BEFORE[:1], {**START, "score": 1})) == 5 / 7
