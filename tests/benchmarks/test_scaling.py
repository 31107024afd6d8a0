from itertools import pairwise

import pytest

from benchmarks.scaling import BASE, GROWTH, grows_faster, slope


def test_the_slope_of_a_power_is_its_exponent() -> None:
    assert slope([1, 2, 4, 8], [3.0 * n**1.5 for n in (1, 2, 4, 8)]) == pytest.approx(1.5)


def test_growth_is_flagged_only_beyond_noise_and_tolerance() -> None:
    assert grows_faster([1.30, 1.31, 1.29], arithmetic=1.0)
    assert not grows_faster([1.04, 1.04, 1.04], arithmetic=1.0)
    assert not grows_faster([0.8, 1.7, 1.1], arithmetic=1.0)


@pytest.mark.parametrize("name", list(GROWTH))
def test_every_row_doubles_one_thing(name: str) -> None:
    sizes, at = GROWTH[name]
    assert all(b == 2 * a for a, b in pairwise(sizes))
    points = [at(size) for size in sizes]
    steps = [point.flops["step"] for point in points]
    assert steps == sorted(steps)
    assert BASE in points


def test_the_arithmetic_is_linear_in_prompts_and_less_than_linear_in_the_vocabulary() -> None:
    for name, low, high in (("prompts", 1.0, 1.0), ("vocabulary", 0.3, 0.99), ("width", 1.2, 2.0)):
        sizes, at = GROWTH[name]
        exponent = slope(sizes, [at(size).flops["step"] for size in sizes])
        assert low - 1e-9 <= exponent <= high + 1e-9, name
