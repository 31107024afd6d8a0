"""Limits and isolation that the kernel enforces, for this process and what it becomes.

They outlive the exec that follows. What a platform lacks is left out: macOS has no namespaces and
keeps no limit of the address space, so there only the time bounds a game. The memory comes last:
nothing may need to be loaded after it.
"""

import ctypes
import resource
import signal
import sys

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
CLONE_NEWIPC = 0x08000000
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
MAX_OPEN_FILES = 32


def enclose(*, memory_bytes: int, cpu_s: int, file_bytes: int) -> None:
    """Cut the network off where possible, then set the limits."""
    library = ctypes.CDLL(None)
    if hasattr(library, "unshare"):
        _leave_network(library)
    if hasattr(library, "prctl"):  # after that: other rights make the kernel forget the signal
        library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # end with the starting thread
    # The signal of the first limit says why the process ended; the second one kills for sure.
    _lower(resource.RLIMIT_CPU, cpu_s, hard_value=cpu_s + 1)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _lower(resource.RLIMIT_NPROC, 0)
    if sys.platform != "darwin":
        _lower(resource.RLIMIT_AS, memory_bytes)


def _lower(limit: int, value: int, *, hard_value: int | None = None) -> None:
    """Set a limit for good; one that is lower already stays."""
    allowed = resource.getrlimit(limit)[1]
    hard = value if hard_value is None else hard_value
    if allowed != resource.RLIM_INFINITY:
        hard = min(hard, allowed)
    resource.setrlimit(limit, (min(value, hard), hard))


def _leave_network(library: ctypes.CDLL) -> None:
    """Move to an empty network; a kernel or container that forbids it leaves only the guard."""
    if library.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) != 0:
        library.unshare(CLONE_NEWNET)
