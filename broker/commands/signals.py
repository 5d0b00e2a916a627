"""What signals tell a program in the foreground."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType


class Stopping:
    """Whether the program was told to stop. On the main thread."""

    def __init__(self) -> None:
        self.told = False
        self._woken, wakes = os.pipe()
        for end in (self._woken, wakes):
            os.set_blocking(end, False)
        # Of two signals at once the kernel may give one to another thread, where it wakes no lock
        # that this one waits for; and a handler that sets an Event may need what this one holds.
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)

    def wait(self) -> None:
        """Until it is told."""
        while not self.told:
            select.select([self._woken], [], [])
            with suppress(BlockingIOError):
                os.read(self._woken, 4096)


def stop_on_signal() -> Stopping:
    """Is told by SIGTERM or SIGINT; a second one ends the process at once."""
    stopping = Stopping()

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.told:
            os._exit(128 + number)
        stopping.told = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping


def call_on_hangup(call: Callable[[], object]) -> None:
    """On each SIGHUP, but not on a terminal: there it says that the terminal is gone, and ends the
    program. Main thread only."""
    if not sys.stderr.isatty():
        signal.signal(signal.SIGHUP, lambda _number, _frame: call())
