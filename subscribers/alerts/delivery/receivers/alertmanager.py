"""Alertmanager itself: `POST /api/v2/alerts`, as Prometheus does it.

An alert that it is not sent again is over for it, at the `endsAt` it was told last. So a firing
one is sent again every `repeat_interval` (a minute), each time with an end four intervals ahead.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from subscribers.alerts.delivery.receivers.post import Post
from subscribers.alerts.delivery.receivers.target import Target
from subscribers.alerts.notifications.notification import Notification, rfc3339
from subscribers.alerts.rules.receiver_config import Receiver

INTERVALS: Final = 4
_PATH: Final = "/api/v2/alerts"
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class AlertmanagerSender:
    """The URL is Alertmanager's base address, or the whole one. `clock`: unix seconds."""

    batch = 64

    def __init__(
        self, receiver: Receiver, target: Target, clock: Callable[[], float] = time.time
    ) -> None:
        base = target.url.rstrip("/")
        url = base if base.endswith(_PATH) else base + _PATH
        self._post = Post(receiver, target, url)
        self._lives_s = INTERVALS * receiver.repeat_s()
        self._clock = clock

    def send(self, notifications: list[Notification]) -> None:
        until = self._clock() + self._lives_s
        body = msgspec.json.encode([posted(one, until) for one in notifications])
        self._post.send(body, {})

    def abort(self) -> None:
        self._post.abort()


def posted(notification: Notification, until: float) -> dict[str, Any]:
    """One alert of the request; one that fires ends at `until`, unless it is sent again."""
    alert = notification.alert
    over = notification.state == "resolved" and alert.ends_at is not None
    ends = max(alert.ends_at or until, alert.starts_at) if over else until
    return {
        "labels": {name: text for name, text in alert.labels.items() if _LABEL.fullmatch(name)},
        "annotations": alert.annotations,
        "startsAt": rfc3339(alert.starts_at),
        "endsAt": rfc3339(ends),
        "generatorURL": alert.url,
    }
