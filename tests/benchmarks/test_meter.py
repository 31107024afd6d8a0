import math
import time

import pytest

from benchmarks.meter import (
    Seconds,
    StepTime,
    Stopwatch,
    median_ratio,
    now,
    peak_resident_mb,
    resident_mb,
    table,
)


def test_a_stopwatch_adds_up_spans_and_starts_again_at_zero() -> None:
    watch = Stopwatch()
    for _ in range(2):
        with watch:
            time.sleep(0.01)
    total = watch.reset()
    assert total.wall >= 0.02
    assert total.cpu < total.wall
    assert watch.total == Seconds()


def test_the_parts_of_a_step_add_up_to_it() -> None:
    step = StepTime(Seconds(1, 2), Seconds(3, 4), Seconds(5, 6))
    assert step.step == Seconds(9, 12)


def test_the_ratio_is_the_median_of_pairs_not_the_ratio_of_medians() -> None:
    assert median_ratio([2.0, 30.0, 400.0], [1.0, 10.0, 50.0]) == 3.0


def test_clocks_only_go_forward() -> None:
    first = now()
    sum(range(10_000))
    span = now() - first
    assert span.cpu > 0
    assert span.wall > 0


def test_peak_memory_grows_with_what_is_held() -> None:
    before = resident_mb()
    if math.isnan(before):
        pytest.skip("the system does not show resident memory")
    held = bytearray(b"x") * (64 * 2**20)
    assert resident_mb() > before + 60
    del held
    assert peak_resident_mb() > before + 60


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert table([["", "s"], ["step", "10.5"]]) == "         s\nstep  10.5"
