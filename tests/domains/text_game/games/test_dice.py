import pytest

from worldtune.domains.text_game.games.dice import Dice, FixedDice


def test_equal_texts_give_equal_draws_and_the_draws_are_those_of_every_python() -> None:
    draws = [Dice("kettle", "7").number() for _ in range(2)]
    # sha256("kettle\x1f7")[:8] as a big-endian integer seeds random.Random; its first random().
    assert draws == [0.3181781266474353] * 2


def test_other_texts_give_other_draws() -> None:
    assert Dice("kettle", "7").number() != Dice("kettle", "8").number()
    assert Dice("a", "bc").number() != Dice("ab", "c").number()


def test_draws_are_counted_and_a_single_option_takes_none() -> None:
    dice = Dice("x")
    assert dice.choice(["only"]) == "only"
    assert dice.integer(4, 4) == 4
    assert dice.num_draws == 0
    dice.chance(50)
    dice.integer(1, 6)
    assert dice.num_draws == 2


def test_integers_reach_both_ends_and_nothing_beyond() -> None:
    dice = Dice("ends")
    assert {dice.integer(2, 4) for _ in range(100)} == {2, 3, 4}


def test_weights_are_shares() -> None:
    dice = Dice("weights")
    draws = [dice.weighted((("rare", 10), ("never", 0), ("often", 90))) for _ in range(2000)]
    assert draws.count("never") == 0
    assert draws.count("rare") / 2000 == pytest.approx(0.1, abs=0.03)


def test_shuffling_keeps_everything() -> None:
    assert sorted(Dice("cards").shuffled(range(20))) == list(range(20))
    assert Dice("cards").shuffled(range(20)) != list(range(20))


def test_fixed_dice_give_the_first_or_the_last_outcome() -> None:
    first, last = FixedDice("first"), FixedDice("last")
    assert (first.integer(1, 6), last.integer(1, 6)) == (1, 6)
    assert (first.choice("abc"), last.choice("abc")) == ("a", "c")
    outcomes = ((0, 30), (1, 60), (2, 10))
    assert (first.weighted(outcomes), last.weighted(outcomes)) == (0, 2)
    assert (first.chance(1), last.chance(99)) == (True, False)
