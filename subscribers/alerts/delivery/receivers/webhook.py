"""A webhook in Alertmanager's format, version 4; signed where there is a secret.

Every request is about one alert: grouping is what Alertmanager does well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from subscribers.alerts.delivery.receivers.post import Post
from subscribers.alerts.delivery.receivers.target import Target
from subscribers.alerts.delivery.signature import signed
from subscribers.alerts.notifications.notification import Notification, rfc3339
from subscribers.alerts.rules.receiver_config import Receiver

NO_END: Final = "0001-01-01T00:00:00Z"


class WebhookSender:
    """`external_url`: the dashboard's address. `clock`: unix seconds, for the signature."""

    batch = 1

    def __init__(
        self,
        receiver: Receiver,
        target: Target,
        external_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._post = Post(receiver, target)
        self._secret = target.secret
        self._external_url = external_url
        self._clock = clock

    def send(self, notifications: list[Notification]) -> None:
        (notification,) = notifications
        body = msgspec.json.encode(message(notification, self._external_url))
        headers = {"Idempotency-Key": notification.key}
        if self._secret:
            headers |= signed(self._secret, body, self._clock())
        self._post.send(body, headers)

    def abort(self) -> None:
        self._post.abort()


def message(notification: Notification, external_url: str) -> dict[str, Any]:
    """The body: the same for each attempt at the same notification."""
    alert = notification.alert
    ends = alert.ends_at if notification.state == "resolved" else None
    return {
        "version": "4",
        "groupKey": group_key(alert.labels),
        "truncatedAlerts": 0,
        "status": notification.state,
        "receiver": notification.receiver,
        "groupLabels": alert.labels,
        "commonLabels": alert.labels,
        "commonAnnotations": alert.annotations,
        "externalURL": external_url,
        "alerts": [
            {
                "status": notification.state,
                "labels": alert.labels,
                "annotations": alert.annotations,
                "startsAt": rfc3339(alert.starts_at),
                "endsAt": NO_END if ends is None else rfc3339(ends),
                "generatorURL": alert.url,
                "fingerprint": alert.fingerprint,
            }
        ],
    }


def group_key(labels: dict[str, str]) -> str:
    """As Alertmanager writes it for a group of these labels below the root route."""
    quoted = (f"{name}={_quoted(value)}" for name, value in sorted(labels.items()))
    return "{}:{" + ", ".join(quoted) + "}"


def _quoted(value: str) -> str:
    return msgspec.json.encode(value).decode()
