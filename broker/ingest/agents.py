"""What is known of each agent: whether it answers, and how much polling it has been asked to take.

Pure: the time is given. Every method may be called from any thread.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Final

RETRY_DOWN: Final = 30.0  # seconds until an agent that can't be reached is tried again
_BURST_S: Final = 0.5  # so many seconds' requests may be sent at once
_USE_S: Final = 1.0  # over which the use by jobs that print is averaged
_SILENT_MOST: Final = 0.8  # of the budget, while jobs that print leave so much
_SILENT_LEAST: Final = 0.1


@dataclass(slots=True)
class _Agent:
    next: float  # when the budget's next request is due
    next_silent: float  # and the next of a silent job
    use: float = 0.0  # requests/s of jobs that print, as it was at `used`
    used: float = 0.0
    failures: int = 0
    retry_at: float | None = None  # out of reach; when to try again

    def use_at(self, now: float) -> float:
        """The use, if nothing was asked since."""
        return self.use * math.exp(min(0.0, self.used - now) / _USE_S)


class Agents:
    """Reachability and polling budget (requests/s) of each agent of a cluster."""

    def __init__(self, requests_per_s: float) -> None:
        self._rate = requests_per_s
        self._burst = max(0.0, _BURST_S - 1 / requests_per_s)
        self._lock = threading.Lock()
        self._agents: dict[str, _Agent] = {}

    def usable(self, agent: str) -> bool:
        """Whether it is worth asking: not known to be out of reach."""
        with self._lock:
            known = self._agents.get(agent)
            return known is None or known.retry_at is None

    def probe_due(self, agent: str, now: float) -> bool:
        """Whether one that is out of reach should be tried again; true for one caller at a time."""
        with self._lock:
            known = self._agents.get(agent)
            if known is None or known.retry_at is None or known.retry_at > now:
                return False
            known.retry_at = now + RETRY_DOWN
            return True

    def answered(self, agent: str, now: float) -> None:
        """It can be reached."""
        with self._lock:
            known = self._get(agent, now)
            known.failures = 0
            known.retry_at = None

    def unreachable(self, agent: str, now: float) -> None:
        """It could not be reached; twice in a row takes it out of use until a probe succeeds."""
        with self._lock:
            known = self._get(agent, now)
            known.failures += 1
            if known.failures >= 2:
                known.retry_at = now + RETRY_DOWN

    def reserve(self, agent: str, printing: bool, now: float) -> float:
        """Take one request from the budget: when it may be sent, `now` or later.

        Each caller waits for a place of its own, so over the budget all wait alike, and none in
        vain. Silent jobs get what those that print leave, but never nothing.
        """
        with self._lock:
            known = self._get(agent, now)
            if printing:
                waiting = known.next_silent - self._burst > now
                share = 1.0 - _SILENT_LEAST if waiting else 1.0
                known.use = known.use_at(now) + 1 / _USE_S
                known.used = now
                at, known.next = self._place(known.next, share, now)
            else:
                left = 1.0 - known.use_at(now) / self._rate
                share = min(_SILENT_MOST, max(_SILENT_LEAST, left))
                at, known.next_silent = self._place(known.next_silent, share, now)
            return at

    def _place(self, due: float, share: float, now: float) -> tuple[float, float]:
        """When this request may be sent, and when the next one of its kind is due."""
        return max(now, due - self._burst), max(now, due) + 1 / (share * self._rate)

    def _get(self, agent: str, now: float) -> _Agent:
        known = self._agents.get(agent)
        if known is None:
            known = self._agents[agent] = _Agent(next=now, next_silent=now)
        return known
