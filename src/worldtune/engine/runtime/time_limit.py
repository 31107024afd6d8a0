"""A time limit for code that may hang, such as somebody's reward function.

In the main thread an interval timer interrupts the code, also inside a regular expression that
backtracks without end. In other threads, where Python delivers no signals, a watchdog thread raises
the interruption in the thread that it watches: loops of Python stop there too, but not a single
call into C that keeps the interpreter to itself. Either way costs a few microseconds per call.
"""

import ctypes
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")

_POLL_S = 0.05
"""How often the watchdog looks: the most by which a thread overruns its limit."""
_SHORTEST_S = 1e-6
"""A timer of zero seconds would be none."""


class TimeLimitError(BaseException):
    """Raised inside code whose time is up; no ``Exception``, which that code might catch."""


def call_within(seconds: float, function: Callable[..., Result], *arguments: Any) -> Result:
    """``function(*arguments)``, interrupted after ``seconds``. Calls may be nested.

    Raises:
        TimeLimitError: the time was up; the traceback says where.
    """
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        return _call_under_timer(seconds, function, arguments)
    return _call_under_watchdog(seconds, function, arguments)


def _call_under_timer(
    seconds: float, function: Callable[..., Result], arguments: tuple[Any, ...]
) -> Result:
    # A timer that somebody else set is put off, not lost: it goes on for its remaining time after.
    started = time.monotonic()
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, 0)
    former = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        return function(*arguments)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if former is not None:  # None: installed by C code, out of Python's reach
            signal.signal(signal.SIGALRM, former)
        if remaining:
            left = remaining - (time.monotonic() - started)
            signal.setitimer(signal.ITIMER_REAL, max(left, _SHORTEST_S), interval)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """Handler of the timer, which repeats: code that swallows one interruption gets another."""
    # Between the end of the code and the end of its timer there is nothing left to interrupt.
    if frame is not None and frame.f_code is not _call_under_timer.__code__:
        raise TimeLimitError


def _call_under_watchdog(
    seconds: float, function: Callable[..., Result], arguments: tuple[Any, ...]
) -> Result:
    thread = threading.get_ident()
    former = _WATCHDOG.arm(thread, time.monotonic() + seconds)
    try:
        return function(*arguments)
    finally:
        _WATCHDOG.disarm(thread, former)


class _Watchdog:
    """One thread that watches all others that are under a limit; started when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[int, float] = {}
        self._thread: threading.Thread | None = None

    def arm(self, thread: int, deadline: float) -> float | None:
        """Watch a thread; returns the deadline that this one replaces."""
        if self._thread is None or not self._thread.is_alive():  # a fork leaves threads behind
            self._thread = threading.Thread(target=self._watch, name="time-limit", daemon=True)
            self._thread.start()
        former = self._deadlines.get(thread)
        self._deadlines[thread] = deadline
        return former

    def disarm(self, thread: int, former: float | None) -> None:
        """Stop watching; takes an interruption back that has not arrived yet."""
        with self._lock:
            if self._deadlines.pop(thread, None) is None:
                _raise_in(thread, None)
            if former is not None:
                self._deadlines[thread] = former

    def _watch(self) -> None:
        while True:
            time.sleep(_POLL_S)
            now = time.monotonic()
            for thread, deadline in list(self._deadlines.items()):
                if deadline < now:
                    self._interrupt(thread, deadline)

    def _interrupt(self, thread: int, deadline: float) -> None:
        """Interrupt a thread once, unless it has come to an end or to other work meanwhile."""
        with self._lock:
            if self._deadlines.get(thread) == deadline:
                del self._deadlines[thread]
                _raise_in(thread, TimeLimitError)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have a thread raise between two of its byte codes; None takes that back."""
    kind = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind)


_WATCHDOG = _Watchdog()
