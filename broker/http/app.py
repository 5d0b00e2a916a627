"""The routes of the HTTP API, as one ASGI application."""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from broker.access.access import Access
from broker.addresses import host_port, is_loopback
from broker.http.log_route import LogRoute
from broker.http.status import Status
from broker.jobview import JobList
from broker.metrics import Metrics
from broker.topic import Stream, matches
from broker.web.api import PublicRoutes, Served, create_api
from broker.web.errors import JsonResponse, error_response
from broker.web.permission import grant_of
from broker.web.query import query_values, stream_of

INDEX: Final = """\
raytap: every Ray job's log, read once, for any number of subscribers

/livez                          the process runs
/readyz                         bound, and the jobs were looked for; what is degraded
/metrics                        for Prometheus
/v1/jobs                        what is followed    ?cluster=GLOB &job=GLOB
/v1/jobs/CLUSTER/JOB            one of them
/v1/jobs/CLUSTER/JOB/log        its log             ?from=LINE &limit=LINES &epoch=EPOCH
    Accept: text/plain, application/x-ndjson or application/msgpack
    DELETE removes it from the journal: with a token for `admin`, or on the loopback

Where tokens are configured, all under /v1 asks for one: Authorization: Bearer TOKEN
"""
LOG: Final = "/v1/jobs/{cluster}/{job}/log"


class Api:
    """The handlers; all they know comes from `Status`."""

    def __init__(self, status: Status, *, may_forget: bool) -> None:
        self._status = status
        self._may_forget = may_forget

    async def jobs(self, request: Request) -> Response:
        asked = query_values(request.scope["query_string"], ("cluster", "job"))
        cluster, job = asked.get("cluster", "*"), asked.get("job", "*")
        grant = grant_of(request)
        found = [
            view
            for view in await asyncio.to_thread(self._status.jobs)
            if fnmatchcase(view.cluster, cluster)
            and matches(job, stream := Stream(view.cluster, view.job))
            and grant.allows(stream)
        ]
        degraded = await asyncio.to_thread(self._status.degraded)
        return JsonResponse(JobList(self._status.broker, degraded, found))

    async def job(self, request: Request) -> Response:
        query_values(request.scope["query_string"], ())
        stream = stream_of(request.path_params)
        grant_of(request).check(stream)
        for view in await asyncio.to_thread(self._status.jobs):
            if (view.cluster, view.job) == stream:
                return JsonResponse(view)
        return error_response(404, f"job {stream} is not known here; /v1/jobs lists what is")

    async def forget(self, request: Request) -> Response:
        query_values(request.scope["query_string"], ())
        stream = stream_of(request.path_params)
        grant_of(request).check(stream, "admin")
        if not self._may_forget:
            return error_response(
                403,
                "other machines can reach this API without a token, so it removes nothing; stop "
                "the daemon and run raytap purge --state-dir DIR",
            )
        return JsonResponse({"frames": await asyncio.to_thread(self._status.forget, stream)})


def create_app(status: Status, metrics: Metrics, bind: str, access: Access) -> Starlette:
    """The API of one daemon. `bind` is the `HOST:PORT` it is served at."""
    host = host_port(bind).host
    api = Api(status, may_forget=access.required or is_loopback(host))
    public = PublicRoutes(INDEX, status, metrics, "the first discovery is still under way")
    served = [
        *public.served,
        Served("GET", "/v1/jobs", api.jobs),
        Served("GET", "/v1/jobs/{cluster}/{job}", api.job),
        Served("GET", LOG, LogRoute(status, metrics)),
        Served("DELETE", LOG, api.forget),
    ]
    return create_api(served, host=host, access=access, requests=metrics.http_requests)
