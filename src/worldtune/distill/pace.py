"""When the next request may be sent: the limit per minute, waits that servers ask for, back-off."""

import asyncio
import random
import time

FIRST_WAIT_S = 1.0
"""Back-off before the first repetition; each further one doubles it."""
LONGEST_WAIT_S = 60.0
"""Where the doubling ends."""


class Pace:
    """Evenly spaced turns for all requests of a run, and pauses that hold for all of them."""

    def __init__(self, requests_per_minute: float | None) -> None:
        """Start with a turn that is free; None sets no limit."""
        self._interval_s = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._free_at = time.monotonic()

    async def take_turn(self) -> None:
        """Wait until a request may be sent, and count it as sent."""
        while (wait_s := self._free_at - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        self._free_at = time.monotonic() + self._interval_s

    def hold(self, seconds: float) -> None:
        """Send nothing for a while: the server asked for it."""
        self._free_at = max(self._free_at, time.monotonic() + seconds)


def backoff_s(repetition: int) -> float:
    """Seconds before a repetition (0 is the first): doubling, with half of it left to chance.

    Chance keeps requests that failed together from coming back together.
    """
    longest = min(FIRST_WAIT_S * 2.0**repetition, LONGEST_WAIT_S)
    return longest * random.uniform(0.5, 1.0)
