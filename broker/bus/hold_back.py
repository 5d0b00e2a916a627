"""How long bulk work may be held back for a transport that is slower than it. Pure."""

from __future__ import annotations

from typing import Final

BURST_SECONDS: Final = 5.0
SHARE: Final = 0.1


class HoldBack:
    """An allowance in seconds, a token bucket: `burst` at first and at most, and `share` of the
    time that passes. In the long run nobody is held back for more than that share.

    `now` is in seconds on any clock that only goes forward. Not for several threads at once.
    """

    def __init__(self, now: float, burst: float = BURST_SECONDS, share: float = SHARE) -> None:
        self._burst = burst
        self._share = share
        self._left = burst
        self._at = now

    def left(self, now: float) -> float:
        """Seconds that may still be spent."""
        self._left = min(self._burst, self._left + (now - self._at) * self._share)
        self._at = now
        return self._left

    def spend(self, seconds: float, now: float) -> None:
        """So long somebody was held back, up to `now`; what goes over is owed."""
        self._left = self.left(now) - seconds
