"""The rows of `GET /v1/jobs`: what the brokers list, and what the gateway saw itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from broker.access.grant import Grant
from broker.errors import ClientError
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.dashboard.alerts_link import AlertsLink
from subscribers.dashboard.broker_lists import BrokerLists
from subscribers.dashboard.statistics import Statistics


class LiveStats(msgspec.Struct, frozen=True):
    """Of the last seconds; lags are in ms, and None where nothing came lately."""

    lines_per_s: float
    bytes_per_s: float
    frames_per_s: float
    lag_p50_ms: float | None
    lag_p95_ms: float | None
    lag_p99_ms: float | None
    source_lag_bytes: int
    reconnects: int
    errors: dict[str, int]


class JobRow(JobView, frozen=True):
    """A broker's view of a job, and the gateway's own."""

    errors_seen: int = 0  # lines of level ERROR or above, live
    # lines/s, the last 60 s in steps of 2 s, oldest first
    spark: list[float] = msgspec.field(default_factory=list)
    stats: LiveStats | None = None
    alerts: int = 0  # firing, and not muted


class JobsBody(msgspec.Struct, frozen=True):
    """`GET /v1/jobs`."""

    broker: str
    degraded: list[str]
    jobs: list[JobRow]


class JobRows:
    """Made when they are asked for. Any thread; 2,000 rows take some 50 ms."""

    def __init__(
        self,
        lists: BrokerLists,
        statistics: Statistics,
        alerts: AlertsLink,
        degraded: Callable[[], list[str]],
    ) -> None:
        self._lists = lists
        self._statistics = statistics
        self._alerts = alerts
        self._degraded = degraded

    def body(self, grant: Grant, matches: Callable[[Stream], bool] = lambda _: True) -> JobsBody:
        """What the grant may see."""
        firing = self._alerts.firing()
        rows = [
            self._row(stream, view, firing.get(stream, 0))
            for stream, view in sorted(self._lists.views().items())
            if grant.allows(stream) and matches(stream)
        ]
        return JobsBody(self._lists.name, self._degraded(), rows)

    def row(self, stream: Stream) -> JobRow:
        """One job. Raises `ClientError` 404."""
        view = self._lists.views().get(stream)
        if view is None:
            raise ClientError(404, f"job {stream} is not known here; /v1/jobs lists what is")
        return self._row(stream, view, self._alerts.firing().get(stream, 0))

    def _row(self, stream: Stream, view: JobView, alerts: int) -> JobRow:
        figures = self._statistics.of(stream.cluster, stream.job, time.monotonic())
        told = {name: getattr(view, name) for name in view.__struct_fields__}
        seen = {"errors_seen": figures.errors_seen, "spark": figures.spark, "alerts": alerts}
        return JobRow(**told, **seen, stats=LiveStats(**figures.row()))  # type: ignore[arg-type]
