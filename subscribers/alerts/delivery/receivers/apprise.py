"""Any service that Apprise knows: the extra `alerts`, imported when a receiver asks for it."""

from __future__ import annotations

import importlib
import logging
from typing import Any, Final

from broker.errors import ConfigError
from subscribers.alerts.delivery.receivers.target import Target
from subscribers.alerts.notifications.notification import Notification, NotSent
from subscribers.alerts.rules.receiver_config import Receiver

_MOST_BODY: Final = 10_000  # characters; Apprise cuts further where a service takes less
_SILENT: Final = logging.CRITICAL + 1


class AppriseSender:
    """Raises `ConfigError` where Apprise is not installed, or does not know the URL.

    Its timeouts are Apprise's own (`?cto=…&rto=…` in the URL), and a request cannot be aborted.
    """

    batch = 1

    def __init__(self, receiver: Receiver, target: Target) -> None:
        apprise = _apprise(receiver.name)
        logging.getLogger("apprise").setLevel(_SILENT)  # it writes URLs, and those hold tokens
        self._service = apprise.Apprise()
        if not self._service.add(target.url):
            raise ConfigError(
                f"receiver {receiver.name}: Apprise knows no such service, or the URL lacks a part "
                "of it; github.com/caronc/apprise lists them all"
            )

    def send(self, notifications: list[Notification]) -> None:
        (notification,) = notifications
        title, body, kind = message(notification)
        try:
            done = self._service.notify(
                title=title, body=body, notify_type=kind, body_format="text"
            )
        except Exception as error:  # a plugin may raise anything, with the URL in its words
            why = f"Apprise failed with {type(error).__name__}"
            raise NotSent(503, why, again=True) from None
        if not done:
            raise NotSent(503, "Apprise says that the service did not take it", again=True)

    def abort(self) -> None:
        """It ends with its own timeouts."""


def message(notification: Notification) -> tuple[str, str, str]:
    """Title, body and Apprise's kind of a notification."""
    alert = notification.alert
    over = notification.state == "resolved"
    where = f"{alert.cluster}/{alert.job}" if alert.job else alert.cluster
    title = f"{'Resolved' if over else 'Firing'}: {alert.rule} ({alert.severity}) {where}"
    parts = [f"{name}: {text}" for name, text in alert.annotations.items()]
    parts += [f"{name}={text}" for name, text in sorted(alert.labels.items())]
    if alert.url:
        parts.append(alert.url)
    if over:
        kind = "success"
    else:
        kind = {"critical": "failure", "error": "failure", "info": "info"}.get(
            alert.severity, "warning"
        )
    return title, "\n".join(parts)[:_MOST_BODY], kind


def _apprise(name: str) -> Any:
    try:
        return importlib.import_module("apprise")
    except ImportError:
        raise ConfigError(
            f"receiver {name}: Apprise is not installed: pip install 'raytap[alerts]'"
        ) from None
