"""The sender of a receiver, by its kind; each is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from subscribers.alerts.delivery.receivers.target import Target, read_target
from subscribers.alerts.notifications.notification import Sender
from subscribers.alerts.rules.receiver_config import Receiver


def make_sender(receiver: Receiver, target: Target, external_url: str) -> Sender:
    """Nothing is sent or connected yet. Raises `ConfigError`."""
    if receiver.kind == "webhook":
        from subscribers.alerts.delivery.receivers.webhook import WebhookSender

        return WebhookSender(receiver, target, external_url)
    if receiver.kind == "alertmanager":
        from subscribers.alerts.delivery.receivers.alertmanager import AlertmanagerSender

        return AlertmanagerSender(receiver, target)
    if receiver.kind == "slack":
        from subscribers.alerts.delivery.receivers.slack import SlackSender

        return SlackSender(receiver, target)
    from subscribers.alerts.delivery.receivers.apprise import AppriseSender

    return AppriseSender(receiver, target)


def check_sender(receiver: Receiver, environ: Mapping[str, str]) -> None:
    """Raise the `ConfigError` that making it would raise."""
    make_sender(receiver, read_target(receiver, environ), "")
