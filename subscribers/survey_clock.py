"""When the brokers are to be asked where their streams stand. Pure: `now` is handed in."""

from __future__ import annotations

from typing import Final

_FIRST_S: Final = 1.0  # the transport may be down while the journals are up
_BACKOFF_S: Final = (0.5, 15.0)


class SurveyClock:
    """A survey is due when asked for, after `silence` seconds without a heartbeat, and again
    after a failed one. One at a time."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._due: float | None = None
        self._checked: float | None = None
        self._delay = 0.0
        self._running = False

    def start(self, now: float) -> None:
        """Begin to count, the first time it is called."""
        if self._checked is None:
            self._checked = now
            self._due = now + _FIRST_S

    def soon(self, now: float) -> None:
        """A survey is wanted now."""
        self._due = now

    def silence_check(self, now: float) -> bool:
        """Whether it is time to look for silent streams; once for each `silence`."""
        if self._checked is None or now - self._checked < self._silence:
            return False
        self._checked = now
        return True

    def take(self, now: float) -> bool:
        """Whether a survey is to be made now; `done` says that it was."""
        if self._running or self._due is None or now < self._due:
            return False
        self._due, self._running = None, True
        return True

    def done(self, now: float, *, complete: bool) -> None:
        """The survey came back; where brokers lacked, another follows."""
        self._running = False
        low, high = _BACKOFF_S
        self._delay = 0.0 if complete else min(2 * self._delay or low, high)
        if not complete:
            self._due = now + self._delay

    def wait(self, now: float) -> float:
        """Seconds until something is due."""
        check = (self._checked or now) + self._silence
        due = check if self._due is None or self._running else min(self._due, check)
        return max(0.0, due - now)
