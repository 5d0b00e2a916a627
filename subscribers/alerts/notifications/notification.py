"""What one receiver is to be told about one alert. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Literal, Protocol

import msgspec

from broker.errors import ClientError
from subscribers.alerts.engine.alert import Alert

State = Literal["firing", "resolved"]


class Notification(msgspec.Struct, frozen=True):
    """`repeat`: how often it had been told already, in this state. Times are unix seconds."""

    receiver: str
    alert: Alert
    state: State
    repeat: int
    queued_at: float
    id: int = 0  # in the store; 0 where it is only in memory

    @property
    def key(self) -> str:
        """The same whenever it is sent, and no other's: for `Idempotency-Key`."""
        alert = self.alert
        parts = (
            self.receiver,
            alert.fingerprint,
            repr(alert.starts_at),
            self.state,
            str(self.repeat),
            # What fires again may have begun at the same time as before.
            *([str(alert.episode)] if alert.episode else []),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


class NotSent(ClientError):
    """The receiver did not take it. `again`: it may later, after `after` seconds where it said so;
    else never. The message shows neither URL nor secret."""

    def __init__(
        self, status: int, message: str, *, again: bool, after: float | None = None
    ) -> None:
        super().__init__(status, message)
        self.again = again
        self.after = after


class Sender(Protocol):
    """One receiver, spoken to on one thread."""

    batch: int  # notifications that it takes at once

    def send(self, notifications: list[Notification]) -> None:
        """Returns when the receiver has them; raises `NotSent`. They are of different alerts."""

    def abort(self) -> None:
        """From any thread: a `send` that is under way fails now."""


def rfc3339(seconds: float) -> str:
    """A time as Alertmanager and its kin write it."""
    time = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return time.replace("+00:00", "Z")
