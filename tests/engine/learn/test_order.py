"""The order of rows: shuffled epochs, seam to seam, a function of seed and place."""

import pytest

from worldtune.config import MixConfig
from worldtune.engine.learn.order import Order, order_rows
from worldtune.errors import ParameterError

ROWS = [{"number": i, "gold": i % 3 == 0} for i in range(30)]
GOLD = {0, 3, 6, 9, 12, 15, 18, 21, 24, 27}


def test_an_epoch_holds_every_row_once_in_an_order_of_its_own():
    first, second = (Order(3, range(7)).rows_at(start, 7) for start in (0, 7))
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_places_do_not_depend_on_how_they_are_cut_into_steps():
    order = Order(3, range(7))
    whole = order.rows_at(0, 30)
    assert [row for start in range(0, 30, 5) for row in order.rows_at(start, 5)] == whole


def test_another_seed_gives_another_order():
    assert Order(1, range(20)).rows_at(0, 20) != Order(2, range(20)).rows_at(0, 20)


def test_a_mix_takes_all_rows_of_one_kind_and_draws_others_anew_for_each_epoch():
    order = order_rows(ROWS, MixConfig(column="gold", per_100=40), seed=5, section="web.sft")
    assert order.epoch_size == 14
    epochs = [order.rows_at(start, 14) for start in (0, 14, 28)]
    drawn = [set(epoch) - GOLD for epoch in epochs]
    assert all(GOLD < set(epoch) and len(set(epoch)) == 14 for epoch in epochs)
    assert len(set(map(frozenset, drawn))) > 1
    again = order_rows(ROWS, MixConfig(column="gold", per_100=40), seed=5, section="web.sft")
    assert [again.rows_at(start, 14) for start in (0, 14, 28)] == epochs


def test_the_papers_mixes_have_its_sizes():
    rows = [{"gold": i < 18_196} for i in range(150_672)]
    sizes = {
        share: order_rows(
            rows, MixConfig(column="gold", per_100=share), seed=0, section="web.sft"
        ).epoch_size
        for share in (40, 5)
    }
    assert sizes == {40: 18_196 + 7_278, 5: 18_196 + 910}


def test_a_mix_asks_for_no_more_rows_than_there_are():
    order = order_rows(ROWS, MixConfig(column="gold", per_100=1000), seed=5, section="web.sft")
    assert sorted(order.rows_at(0, 30)) == list(range(30))


def test_without_a_mix_every_row_is_in_every_epoch():
    assert order_rows(ROWS, None, seed=3, section="web.sft") == Order(3, range(30))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("gould", r"web\.sft\.mix\.column is 'gould'.*those are: gold"),
        ("number", r"'number'.*those are: gold"),
    ],
)
def test_a_mix_over_no_column_of_flags_names_those_that_there_are(column, message):
    with pytest.raises(ParameterError, match=message):
        order_rows(ROWS, MixConfig(column=column), seed=0, section="web.sft")


def test_a_mix_needs_rows_of_its_kind():
    rows = [{"gold": False}]
    with pytest.raises(
        ParameterError, match=r"web\.sft\.mix\.column is 'gold'.*true of no training row"
    ):
        order_rows(rows, MixConfig(column="gold"), seed=0, section="web.sft")
