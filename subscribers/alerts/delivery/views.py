"""What `GET /v1/alerts` tells. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from subscribers.alerts.engine.alert import Alert
from subscribers.alerts.notifications.mutes import Mute
from subscribers.alerts.rules.receiver_config import Kind


class AlertView(Alert, frozen=True, kw_only=True):
    """An alert, whether it fires, and whether a mute holds it back now."""

    state: Literal["firing", "resolved"]
    muted: bool


class ReceiverView(msgspec.Struct, frozen=True):
    """How a receiver does. Counts are of all lives; `retries` of this one."""

    name: str
    kind: Kind
    ok: bool
    queued: int
    sent: int
    failed: int
    dropped: int = 0
    retries: int = 0
    last_error: str = ""


class Total(msgspec.Struct, frozen=True):
    """How many there are, of which the lists may hold the first ones only."""

    firing: int = 0
    muted: int = 0  # of those
    history: int = 0


class AlertsView(msgspec.Struct, frozen=True):
    """`firing` is in the order of its urgency (muted ones behind the others, the worst first, then
    the newest), `history` begins with the last one that ended."""

    configured: bool
    firing: list[AlertView]
    history: list[AlertView]
    mutes: list[Mute]
    receivers: list[ReceiverView]
    degraded: list[str] = []
    total: Total = Total()


def view_of(alert: Alert, *, muted: bool) -> AlertView:
    """The alert as it is shown."""
    state: Literal["firing", "resolved"] = "firing" if alert.ends_at is None else "resolved"
    fields = {name: getattr(alert, name) for name in Alert.__struct_fields__}
    return AlertView(**fields, state=state, muted=muted)
