"""The sender of a receiver, by its kind; each is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from subscribers.alerts.notification import Sender
from subscribers.alerts.receiver_config import Receiver
from subscribers.alerts.receivers.target import Target, read_target


def make_sender(receiver: Receiver, target: Target, external_url: str) -> Sender:
    """Nothing is sent or connected yet. Raises `ConfigError`."""
    if receiver.kind == "webhook":
        from subscribers.alerts.receivers.webhook import WebhookSender

        return WebhookSender(receiver, target, external_url)
    if receiver.kind == "alertmanager":
        from subscribers.alerts.receivers.alertmanager import AlertmanagerSender

        return AlertmanagerSender(receiver, target)
    if receiver.kind == "slack":
        from subscribers.alerts.receivers.slack import SlackSender

        return SlackSender(receiver, target)
    from subscribers.alerts.receivers.apprise import AppriseSender

    return AppriseSender(receiver, target)


def check_sender(receiver: Receiver, environ: Mapping[str, str]) -> None:
    """Raise the `ConfigError` that making it would raise."""
    make_sender(receiver, read_target(receiver, environ), "")
