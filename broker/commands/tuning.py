"""What a process of many threads asks of the interpreter and of the allocator."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

SWITCH_SECONDS: Final = 0.001
_M_ARENA_MAX: Final = -8  # malloc.h of glibc


def tune_for_threads() -> None:
    """For servers; to be called before the first thread is started.

    A thread works in long C calls; with the default of 5 ms the others wait for it after each call
    of theirs. And glibc gives threads heaps of their own, up to 8 for each core, of which each
    keeps what its largest moment took: 73 MB for 21 in use, measured under faults, where one heap
    takes 31. One is enough: Python's lock lets one thread allocate at a time.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have no such heaps
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
