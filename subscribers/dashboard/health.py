"""What does not work just now. It names no job: whoever reaches the address may ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from subscribers.dashboard.alerts_link import AlertsLink
from subscribers.dashboard.broker_lists import BrokerLists
from subscribers.dashboard.feed import Feed
from subscribers.dashboard.hub import Hub
from subscribers.dashboard.redis_stats import RedisStats

_GAP_SAID_S: Final = 300.0


class Health:
    """Any thread."""

    def __init__(
        self,
        hub: Hub,
        feed: Feed,
        lists: BrokerLists,
        alerts: AlertsLink,
        stats: RedisStats | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hub = hub
        self._feed = feed
        self._lists = lists
        self._alerts = alerts
        self._stats = stats
        self._clock = clock

    def ready(self) -> bool:
        """Whether the brokers were asked once, whatever they said."""
        return self._lists.asked

    def degraded(self) -> list[str]:
        """A line each."""
        found = self._lists.degraded()
        if not self._hub.connected:
            problem = self._hub.problem or "connecting"
            said = any(problem in one for one in found)
            found.append("no live lines" if said else f"no live lines: {problem}")
        feed = self._feed
        if feed.missing and self._clock() - feed.missing_since < _GAP_SAID_S:
            found.append(f"gap: {feed.missing} lines could not be had since the start")
        if self._stats is not None and self._stats.problem:
            found.append(f"statistics in Redis: {self._stats.problem}")
        if self._alerts.problem:
            found.append(f"alerts: {self._alerts.problem}")
        return found
