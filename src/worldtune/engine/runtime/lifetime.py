"""A process that ends with the one that started it, however that one ends."""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(number: signal.Signals) -> None:
    """Ask the kernel for this signal when the parent is gone, killed included. Linux only.

    Elsewhere a parent that is killed outright leaves its children to their time limit.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))
