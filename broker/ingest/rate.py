"""Lines a second over the last ten seconds, from samples of a total. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW: Final = 10.0


class Rate:
    """Sampled where it is asked for or fed; times in seconds of the caller's clock."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=64)

    def sample(self, now: float, total: int) -> None:
        """Remember the total, at most some five times a second."""
        if not self._samples or now - self._samples[-1][0] >= 0.2:
            self._samples.append((now, total))
        while len(self._samples) > 1 and now - self._samples[1][0] >= WINDOW:
            self._samples.popleft()

    def per_second(self, now: float, total: int) -> float:
        """The mean rate since the oldest sample of the window."""
        if not self._samples:
            return 0.0
        since, count = self._samples[0]
        return round((total - count) / max(now - since, 0.2), 1) if total > count else 0.0
