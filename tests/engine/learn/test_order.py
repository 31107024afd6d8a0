"""The order of rows: shuffled epochs, seam to seam, a function of seed and place."""

from worldtune.engine.learn.order import rows_at


def test_an_epoch_holds_every_row_once_in_an_order_of_its_own():
    first, second = (rows_at(start, 7, count=7, seed=3) for start in (0, 7))
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_places_do_not_depend_on_how_they_are_cut_into_steps():
    whole = rows_at(0, 30, count=7, seed=3)
    assert [row for start in range(0, 30, 5) for row in rows_at(start, 5, count=7, seed=3)] == whole


def test_another_seed_gives_another_order():
    assert rows_at(0, 20, count=20, seed=1) != rows_at(0, 20, count=20, seed=2)
