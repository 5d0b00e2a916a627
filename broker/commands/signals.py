"""How a program in the foreground is told to stop."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType


def stop_on_signal() -> threading.Event:
    """Is set by SIGTERM or SIGINT; a second one ends the process at once. Main thread only."""
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
