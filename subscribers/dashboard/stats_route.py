"""`GET /v1/stats`: the course of a cluster's or a job's figures."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from broker.errors import ClientError
from broker.topic import Stream
from broker.validate import validate_resource_id
from broker.web.errors import JsonResponse
from broker.web.permission import grant_of
from broker.web.query import query_values
from subscribers.dashboard.statistics import Statistics

MAX_MINUTES: Final = 15


class StatsBody(msgspec.Struct, frozen=True):
    """`GET /v1/stats`: the course of the figures, oldest first. `until`: unix ms."""

    step_s: float
    until: int
    series: dict[str, list[float | None]]


class StatsRoute:
    """The handler."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    async def stats(self, request: Request) -> Response:
        asked = query_values(request.scope["query_string"], ("cluster", "job", "minutes"))
        if "cluster" not in asked:
            raise ClientError(400, "cluster says of which cluster")
        cluster = validate_resource_id(asked["cluster"], "cluster")
        job = validate_resource_id(asked["job"], "job") if "job" in asked else None
        minutes = _minutes(asked.get("minutes", str(MAX_MINUTES)))
        grant = grant_of(request)
        if job is not None:
            grant.check(Stream(cluster, job))
        elif not grant.allows_cluster(cluster):
            raise ClientError(403, f"this token may not read cluster {cluster}")
        now, wall = time.monotonic(), time.time()
        found = await asyncio.to_thread(self._statistics.series, cluster, job, minutes, now)
        until = round((wall - found.ago_s) * 1000)
        return JsonResponse(StatsBody(found.step_s, until, found.series))


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MAX_MINUTES):
        raise ClientError(400, f"minutes is a whole number from 1 to {MAX_MINUTES}")
    return int(text[:4])
