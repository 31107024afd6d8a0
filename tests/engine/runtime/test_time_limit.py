import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from worldtune.engine.runtime import time_limit
from worldtune.engine.runtime.time_limit import TimeLimitError, call_within


def in_main_thread(work: Callable[[], Any]) -> Any:
    return work()


def in_other_thread(work: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    thread.join(timeout=20)
    return results[0]


WHERE = pytest.mark.parametrize("where", [in_main_thread, in_other_thread])


@pytest.fixture(autouse=True)
def _leaves_no_timer() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is handler


def spin(seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "done"


def is_stopped(function: Callable[..., Any], *arguments: Any, seconds: float = 0.15) -> bool:
    try:
        call_within(seconds, function, *arguments)
    except TimeLimitError:
        return True
    return False


@WHERE
def test_the_result_and_the_error_of_the_function_come_through(where: Any) -> None:
    assert where(lambda: call_within(5.0, divmod, 7, 2)) == (3, 1)

    def fail() -> str:
        with pytest.raises(ZeroDivisionError):
            call_within(5.0, divmod, 7, 0)
        return "seen"

    assert where(fail) == "seen"


@WHERE
def test_a_function_is_stopped_at_its_limit_and_not_before(where: Any) -> None:
    def measure() -> tuple[bool, float]:
        started = time.monotonic()
        return is_stopped(spin, 20.0, seconds=0.3), time.monotonic() - started

    stopped, seconds = where(measure)
    assert stopped and 0.3 <= seconds < 3.0
    assert where(lambda: call_within(5.0, spin, 0.2)) == "done"


@WHERE
def test_code_that_catches_every_exception_is_stopped(where: Any) -> None:
    def stubborn() -> None:
        while True:
            try:
                spin(0.01)
            except Exception:
                pass

    assert where(lambda: is_stopped(stubborn))


def test_code_that_swallows_an_interruption_gets_another() -> None:
    def swallow_two() -> None:
        for _ in range(2):
            try:
                spin(20.0)
            except BaseException:
                pass
        spin(20.0)

    assert is_stopped(swallow_two, seconds=0.1)


@WHERE
def test_an_inner_limit_leaves_the_outer_one_standing(where: Any) -> None:
    def outer() -> list[bool]:
        found.append(is_stopped(spin, 20.0, seconds=0.1))
        spin(20.0)
        return []

    found: list[bool] = []
    assert where(lambda: is_stopped(outer, seconds=0.5))
    assert found == [True]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads take turns, and the watchdog looks, every few ten microseconds."""
    monkeypatch.setattr(time_limit, "_POLL_S", 0.0001)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.00001)
    yield
    sys.setswitchinterval(interval)


@WHERE
@pytest.mark.usefixtures("impatient")
def test_nothing_arrives_after_a_function_that_ends_at_its_limit(where: Any) -> None:
    # Functions that end a little before or a little after their limit.
    def race() -> int:
        stops = sum(is_stopped(spin, 0.0005 + 0.000005 * i, seconds=0.001) for i in range(300))
        spin(0.2)
        return stops

    assert 0 < where(race) < 300


def test_a_timer_of_somebody_else_goes_on() -> None:
    fired: list[float] = []
    former = signal.signal(signal.SIGALRM, lambda *_: fired.append(time.monotonic()))
    try:
        started = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        assert is_stopped(spin, 20.0, seconds=0.1)
        assert not fired
        spin(0.6)
        assert len(fired) == 1
        assert 0.5 <= fired[0] - started < 0.6
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def test_a_timer_of_somebody_else_that_ran_out_meanwhile_fires_right_after() -> None:
    fired: list[bool] = []
    former = signal.signal(signal.SIGALRM, lambda *_: fired.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert call_within(5.0, spin, 0.2) == "done"
        spin(0.01)
        assert fired == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def test_many_threads_are_watched_at_once() -> None:
    stopped: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda i=i: stopped.append(
                is_stopped(spin, 20.0 if i % 2 else 0.01, seconds=0.5)
            ),
            daemon=True,
        )
        for i in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(stopped) == [False] * 3 + [True] * 3


@WHERE
def test_the_limit_costs_next_to_nothing(where: Any) -> None:
    def measure() -> float:
        costs = []
        for _ in range(5):
            started = time.thread_time()
            for _ in range(1000):
                call_within(10.0, int)
            costs.append((time.thread_time() - started) / 1000)
        return min(costs)

    assert where(measure) < 60e-6  # 3 to 10 microseconds on an idle machine
