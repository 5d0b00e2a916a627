"""The dashboard put together: feed, lists, hub, routes and the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from broker.access.access import Access
from broker.access.sessions import Sessions
from broker.config.config import AccessConfig, DashboardConfig
from broker.events import get_logger
from broker.web.server import HttpServer
from subscribers.dashboard.alerts_link import AlertsLink
from subscribers.dashboard.api import Api
from subscribers.dashboard.app import create_app
from subscribers.dashboard.broker_lists import BrokerLists
from subscribers.dashboard.client import Client
from subscribers.dashboard.client_rows import ClientsRoute
from subscribers.dashboard.cluster_origins import ClusterOrigins
from subscribers.dashboard.events_route import EventsRoute
from subscribers.dashboard.feed import Feed, Frames
from subscribers.dashboard.gateway_collector import GatewayCollector
from subscribers.dashboard.health import Health
from subscribers.dashboard.hub import Hub
from subscribers.dashboard.job_rows import JobRows
from subscribers.dashboard.journals import Journals
from subscribers.dashboard.line_routes import LineRoutes
from subscribers.dashboard.log_proxy import LogProxy
from subscribers.dashboard.metrics import Metrics
from subscribers.dashboard.origins import Origins
from subscribers.dashboard.pouring import Streaming
from subscribers.dashboard.redis_stats import RedisStats
from subscribers.dashboard.routes import Handlers, served
from subscribers.dashboard.session_routes import SessionRoutes
from subscribers.dashboard.slow_disconnects import SlowDisconnects
from subscribers.dashboard.static_files import StaticFiles
from subscribers.dashboard.statistics import Statistics
from subscribers.dashboard.stats_route import StatsRoute
from subscribers.dashboard.stream_routes import ClusterStreamRoute, JobStreamRoute

events: Final = get_logger("dashboard")


class Gateway:
    """`start` and `stop` are called on one thread.

    `subscribe` opens the one subscription, to everything, live; `brokers` are HTTP addresses,
    `token` is shown to them and to the alerts at `alerts` (an address; "" for none). Statistics go
    to the Redis at `stats_redis`, where it is given. `stall_s`: a client that takes nothing for so
    long is cut off.
    """

    def __init__(
        self,
        settings: DashboardConfig,
        access: Access,
        subscribe: Callable[[], Frames],
        brokers: Sequence[str],
        *,
        token: str | None = None,
        alerts: str = "",
        stats_redis: str = "",
        version: str = "",
        stall_s: float = 60.0,
    ) -> None:
        statistics, sessions = Statistics(), Sessions(access.holds)
        self._access = access
        self._metrics = Metrics(version, statistics)
        cut = SlowDisconnects(self._metrics.slow_disconnects.inc)
        self._hub = Hub(settings.max_clients, lambda one: _may_stay(one, access, sessions), cut)
        self._feed = Feed(subscribe, self._hub, statistics)
        self._lists = BrokerLists(
            brokers, token, lambda views: statistics.told(views, time.monotonic())
        )
        self._alerts = AlertsLink(alerts, token)
        self._journals = Journals(brokers, token)
        self._stats = RedisStats(stats_redis, statistics) if stats_redis else None
        self._health = Health(self._hub, self._feed, self._lists, self._alerts, self._stats)
        handlers = self._handlers(settings, access, sessions, statistics, LogProxy(brokers, token))
        self._events = handlers.events
        self._metrics.connected.set_function(lambda: self._hub.connected)
        self._metrics.watch_clients(lambda: self._hub.clients)
        self._metrics.registry.register(
            GatewayCollector(self._hub, self._journals, handlers.log, handlers.session, cut)
        )
        requests = self._metrics.http_requests
        self.routes = served(handlers)
        app = create_app(self.routes, settings, access, sessions, requests)
        self._server = HttpServer(
            app, settings.bind, stall_s=stall_s, flag="--bind", up=self._on_loop
        )

    @property
    def address(self) -> str:
        """HOST:PORT, once started."""
        return self._server.address

    def start(self) -> None:
        """Returns when requests are answered. Raises `ClientError` 400 where the address can't
        be."""
        self._server.start()
        self._feed.start()
        self._lists.start()
        self._alerts.start()
        if self._stats is not None:
            self._stats.start()
        events.info("dashboard_started", address=self.address)

    def reload(self, config: AccessConfig) -> None:
        """From now on these permissions: what came of a token that is not in them ends at once.
        Any thread. Raises `ConfigError`, and nothing has changed."""
        self._access.reload(config)
        self._hub.check()

    def stop(self) -> None:
        """End every stream in order, then everything else, within five seconds. Idempotent."""
        self._hub.stop()
        self._feed.stop(0.0)  # it ends while the server does
        self._server.stop(2.0)
        self._feed.stop(1.0)
        self._lists.stop(0.5)
        self._alerts.stop(0.5)
        self._journals.stop()
        if self._stats is not None:
            self._stats.stop()
        events.info("dashboard_stopped")

    def _handlers(
        self,
        settings: DashboardConfig,
        access: Access,
        sessions: Sessions,
        statistics: Statistics,
        log: LogProxy,
    ) -> Handlers:
        rows = JobRows(self._lists, statistics, self._alerts, self._health.degraded)
        streaming = Streaming(
            self._hub,
            Origins(self._feed, self._lists, self._journals),
            ClusterOrigins(self._feed, self._lists, self._journals),
            self._journals,
            settings,
            self._metrics.skipped_lines.inc,
        )
        return Handlers(
            Api(rows, self._alerts, self._health, self._metrics),
            SessionRoutes(access, sessions, self._hub, settings.session),
            LineRoutes(self._journals),
            log,
            JobStreamRoute(streaming),
            ClusterStreamRoute(streaming),
            EventsRoute(self._hub, rows, self._alerts),
            StatsRoute(statistics),
            ClientsRoute(self._hub),
            StaticFiles(),
        )

    def _on_loop(self) -> None:
        self._hub.start(asyncio.get_running_loop())
        self._events.start()


def _may_stay(client: Client, access: Access, sessions: Sessions) -> bool:
    if access.required and client.session:
        return sessions.grant(client.session) is not None
    return access.holds(client.grant)
