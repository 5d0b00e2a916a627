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


class AlertsView(msgspec.Struct, frozen=True):
    """All of it: `firing` the newest first, `history` the last one that ended first."""

    configured: bool
    firing: list[AlertView]
    history: list[AlertView]
    mutes: list[Mute]
    receivers: list[ReceiverView]
    degraded: list[str] = []


def view_of(alert: Alert, *, muted: bool) -> AlertView:
    """The alert as it is shown."""
    state: Literal["firing", "resolved"] = "firing" if alert.ends_at is None else "resolved"
    fields = {name: getattr(alert, name) for name in Alert.__struct_fields__}
    return AlertView(**fields, state=state, muted=muted)
