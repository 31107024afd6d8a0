import asyncio
import time
from itertools import pairwise

import pytest

from worldtune.distill import pace
from worldtune.distill.pace import Pace, backoff_s


def test_turns_are_spaced_evenly() -> None:
    async def take(count: int) -> list[float]:
        turns, times_s = Pace(1200), list[float]()  # one every 0.05 s

        async def one() -> None:
            await turns.take_turn()
            times_s.append(time.monotonic())

        await asyncio.gather(*(one() for _ in range(count)))
        return times_s

    times_s = asyncio.run(take(4))
    assert all(late - early >= 0.049 for early, late in pairwise(times_s))


def test_without_a_limit_nobody_waits_unless_held() -> None:
    async def measure() -> tuple[float, float]:
        turns, start = Pace(None), time.monotonic()
        for _ in range(100):
            await turns.take_turn()
        free = time.monotonic()
        turns.hold(0.1)
        turns.hold(0.01)  # a shorter pause does not end a longer one
        await turns.take_turn()
        return free - start, time.monotonic() - free

    free_s, held_s = asyncio.run(measure())
    assert free_s < 0.1
    assert held_s >= 0.1


def test_back_off_doubles_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_WAIT_S", 1.0)
    for repetition, longest in enumerate((1, 2, 4, 8, 16, 32, 60, 60)):
        waits = [backoff_s(repetition) for _ in range(50)]
        assert longest / 2 <= min(waits) < max(waits) <= longest
