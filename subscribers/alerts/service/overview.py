"""What `GET /v1/alerts` tells, put together. Any thread."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from broker.topic import Stream
from subscribers.alerts.delivery.views import AlertsView, AlertView, ReceiverView, Total, view_of
from subscribers.alerts.engine.alert import Alert
from subscribers.alerts.notifications.mutes import Mutes
from subscribers.alerts.rules.rule import gravity
from subscribers.alerts.store.store import Store

_MOST_TEXT: Final = 2 << 20  # characters of a list

Allows = Callable[[Stream], bool]


def overview(
    firing: Sequence[Alert],
    store: Store,
    mutes: Mutes,
    receivers: list[ReceiverView],
    degraded: list[str],
    *,
    allows: Allows,
    limit: int,
    now: float,
) -> AlertsView:
    """The alerts of the jobs that are allowed, `limit` of each list at most, and how many there
    are. Raises `StoreError`."""
    everything = allows(Stream("", ""))
    shown = [
        (mutes.muted(alert.labels, now), alert)
        for alert in firing
        if everything or allows(Stream(alert.cluster, alert.job))
    ]
    first = heapq.nsmallest(limit, shown, key=_urgency)
    over, were = store.history(limit, None if everything else allows)
    return AlertsView(
        True,
        _fitting(view_of(alert, muted=muted) for muted, alert in first),
        _fitting(view_of(alert, muted=False) for alert in over),
        mutes.active(now),
        receivers,
        degraded,
        Total(len(shown), sum(muted for muted, _ in shown), were),
    )


def _urgency(shown: tuple[bool, Alert]) -> tuple[bool, int, float]:
    muted, alert = shown
    return muted, gravity(alert.severity), -alert.starts_at


def _fitting(views: Iterable[AlertView]) -> list[AlertView]:
    """The first of them: annotations may quote many long lines."""
    fitting, size = [], 0
    for view in views:
        texts = (*view.labels.values(), *view.annotations.values())
        size += sum(map(len, texts))
        if size > _MOST_TEXT:
            break
        fitting.append(view)
    return fitting
