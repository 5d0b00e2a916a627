"""The handlers that answer at once: lists, alerts, health."""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from broker.topic import matches
from broker.web.errors import RETRY_AFTER_S, JsonResponse
from broker.web.permission import grant_of
from broker.web.query import query_values, stream_of
from subscribers.dashboard.alerts_link import AlertsLink
from subscribers.dashboard.health import Health
from subscribers.dashboard.job_rows import JobRows
from subscribers.dashboard.metrics import Metrics
from subscribers.dashboard.openapi import document


class Api:
    """Everything they know comes from these."""

    def __init__(
        self,
        rows: JobRows,
        alerts: AlertsLink,
        health: Health,
        metrics: Metrics,
    ) -> None:
        self._rows = rows
        self._alerts = alerts
        self._health = health
        self._metrics = metrics

    async def livez(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(self, request: Request) -> Response:
        ready = self._health.ready()
        body: dict[str, object] = {"ready": ready, "degraded": self._health.degraded()}
        if ready:
            return JsonResponse(body)
        body["error"] = {"status": 503, "message": "the brokers are being asked for the first time"}
        return JsonResponse(body, status_code=503, headers={"Retry-After": str(RETRY_AFTER_S)})

    async def metrics(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        page, content_type = await asyncio.to_thread(self._metrics.exposition, accept)
        return Response(page, headers={"Content-Type": content_type})

    async def openapi(self, request: Request) -> Response:
        return JsonResponse(document())

    async def jobs(self, request: Request) -> Response:
        asked = query_values(request.scope["query_string"], ("cluster", "job"))
        cluster, job = asked.get("cluster", "*"), asked.get("job", "*")
        body = await asyncio.to_thread(
            self._rows.body,
            grant_of(request),
            lambda stream: fnmatchcase(stream.cluster, cluster) and matches(job, stream),
        )
        return JsonResponse(body)

    async def job(self, request: Request) -> Response:
        query_values(request.scope["query_string"], ())
        stream = stream_of(request.path_params)
        grant_of(request).check(stream)
        return JsonResponse(await asyncio.to_thread(self._rows.row, stream))

    async def alerts(self, request: Request) -> Response:
        query_values(request.scope["query_string"], ())
        return JsonResponse(self._alerts.view(grant_of(request)))
