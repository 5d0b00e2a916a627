"""What is known of each agent: whether it answers, and how much polling it has been asked to take.

Pure: the time is given. Every method may be called from any thread.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

RETRY_DOWN: Final = 30.0  # seconds until an agent that can't be reached is tried again
_RESERVE: Final = 0.2  # of the budget: for jobs that print


@dataclass(slots=True)
class _Agent:
    tokens: float
    filled: float
    failures: int = 0
    retry_at: float | None = None  # out of reach; when to try again


class Agents:
    """Reachability and polling budget (requests/s) of each agent of a cluster."""

    def __init__(self, requests_per_s: float) -> None:
        self._rate = requests_per_s
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

    def ask(self, agent: str, printing: bool, now: float) -> float:
        """Take one request from the budget: 0.0, or the seconds until there is one to take.

        The last fifth is for jobs that print, so over the budget the silent ones wait first.
        """
        with self._lock:
            known = self._get(agent, now)
            known.tokens = min(self._rate, known.tokens + (now - known.filled) * self._rate)
            known.filled = now
            needed = 1.0 if printing else min(1.0 + _RESERVE * self._rate, self._rate)
            if known.tokens >= needed:
                known.tokens -= 1.0
                return 0.0
            return (needed - known.tokens) / self._rate

    def _get(self, agent: str, now: float) -> _Agent:
        known = self._agents.get(agent)
        if known is None:
            known = self._agents[agent] = _Agent(tokens=self._rate, filled=now)
        return known
