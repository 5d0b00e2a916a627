"""Which path is answered by whom."""

from __future__ import annotations

from typing import NamedTuple

from subscribers.dashboard.api import Api
from subscribers.dashboard.app import Served
from subscribers.dashboard.client_rows import ClientsRoute
from subscribers.dashboard.events_route import EventsRoute
from subscribers.dashboard.line_routes import LineRoutes
from subscribers.dashboard.log_proxy import LogProxy
from subscribers.dashboard.session_routes import SessionRoutes
from subscribers.dashboard.static_files import StaticFiles
from subscribers.dashboard.stats_route import StatsRoute
from subscribers.dashboard.stream_routes import ClusterStreamRoute, JobStreamRoute


class Handlers(NamedTuple):
    """All that answer."""

    api: Api
    session: SessionRoutes
    lines: LineRoutes
    log: LogProxy
    job_stream: JobStreamRoute
    cluster_stream: ClusterStreamRoute
    events: EventsRoute
    stats: StatsRoute
    clients: ClientsRoute
    files: StaticFiles


def served(handlers: Handlers) -> list[Served]:
    """Every route; `/v1/openapi.json` tells of those below `/v1`."""
    api, session, lines, job = (
        handlers.api,
        handlers.session,
        handlers.lines,
        "/v1/jobs/{cluster}/{job}",
    )
    return [
        Served("GET", "/", handlers.files.index),
        Served("GET", "/jobs/{cluster}/{job}", handlers.files.index),
        Served("GET", "/static/{path:path}", handlers.files.file),
        Served("GET", "/livez", api.livez),
        Served("GET", "/readyz", api.readyz),
        Served("GET", "/metrics", api.metrics),
        Served("GET", "/v1/openapi.json", api.openapi),
        Served("GET", "/v1/session", session.show),
        Served("POST", "/v1/session", session.sign_in),
        Served("DELETE", "/v1/session", session.sign_out),
        Served("GET", "/v1/jobs", api.jobs),
        Served("GET", job, api.job),
        Served("GET", f"{job}/log", handlers.log),
        Served("GET", f"{job}/lines", lines.lines),
        Served("GET", f"{job}/search", lines.search),
        Served("GET", f"{job}/stream", handlers.job_stream),
        Served("GET", "/v1/clusters/{cluster}/stream", handlers.cluster_stream),
        Served("GET", "/v1/events", handlers.events),
        Served("GET", "/v1/stats", handlers.stats.stats),
        Served("GET", "/v1/alerts", api.alerts),
        Served("GET", "/v1/clients", handlers.clients.clients),
    ]
