"""`ray start` below a small init of its own; run as a script by `LocalRay`, it imports Ray only.

It adopts and reaps what Ray leaves behind, so that every process of the head is found below it
while it lives, and its end says that none is left. It ends Ray at SIGTERM, and when its standard
input ends: when the process that started it is gone, however it went. When Ray ends, it ends
the rest: Ray's agents look for their parent to become process 1, which it keeps from happening.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_GRACE: Final = 0.5  # seconds from SIGTERM to SIGKILL; Ray takes 30 to end while a job runs


def main() -> int:
    """Run `ray` with our arguments until it and all its descendants are gone; its exit status."""
    signals = {signal.SIGTERM, signal.SIGALRM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # until we can hand them on
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    lifeline = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    ray = os.fork()
    if ray == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        sys.exit(importlib.import_module("ray.scripts.scripts").main())

    def end(number: int, _: object) -> None:
        if ray:
            os.kill(ray, signal.SIGKILL if number == signal.SIGALRM else signal.SIGTERM)
            signal.setitimer(signal.ITIMER_REAL, _GRACE)

    def watch() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    for number in signals:
        signal.signal(number, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    threading.Thread(target=watch, daemon=True).start()
    status = 0
    while True:
        try:
            pid, ended = os.wait()
        except ChildProcessError:
            return os.waitstatus_to_exitcode(status) & 0xFF
        if pid == ray:
            ray, status = 0, ended
        if not ray:
            _kill_children()


def _kill_children() -> None:
    """SIGKILL to our children; theirs become ours when they are reaped."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # gone in the meantime
            # pid (name, which may hold anything) state parent …
            parent = stat.read_bytes().rpartition(b")")[2].split()[1]
            if int(parent) == os.getpid():
                os.kill(int(stat.parent.name), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
