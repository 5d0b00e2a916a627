"""The routes of `raytap alerts`, as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from broker.access.access import Access
from broker.addresses import host_port, is_loopback
from broker.errors import ClientError
from broker.topic import Stream
from broker.units import parse_duration
from broker.web.errors import (
    RETRY_AFTER_S,
    JsonResponse,
    error_response,
    on_client_error,
    on_route_error,
)
from broker.web.guard import Guard
from broker.web.permission import Permission, grant_of
from broker.web.query import query_values
from subscribers.alerts.delivery.views import AlertsView
from subscribers.alerts.notifications.mutes import Mute
from subscribers.alerts.service.metrics import Metrics

INDEX: Final = """\
raytap alerts: rules on live logs and on the jobs' life

/livez               the process runs
/readyz              frames can come; what is degraded
/metrics             for Prometheus
/v1/alerts           what fires, what did, mutes and receivers
/v1/mutes            POST {"matchers": ["severity=\\"info\\""], "for": "2h", "reason": "…"}
/v1/mutes/ID         DELETE ends it
"""
PUBLIC: Final = ("/", "/livez", "/readyz", "/metrics")
_MOST_BODY: Final = 64 << 10  # bytes


class Status(Protocol):
    """What the service tells; on any of the API's worker threads."""

    def ready(self) -> bool: ...
    def degraded(self) -> list[str]: ...
    def view(self, allows: Callable[[Stream], bool]) -> AlertsView: ...
    def mute(self, matchers: list[str], seconds: float, reason: str, by: str) -> Mute: ...
    def end_mute(self, id_: str) -> None: ...


class MuteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"for_": "for"}):
    """The body of `POST /v1/mutes`; `for` in seconds, or with a unit."""

    matchers: list[str]
    for_: float | str
    reason: str = ""
    by: str = ""


class Api:
    """The handlers; all they know comes from `Status` and `Metrics`."""

    def __init__(self, status: Status, metrics: Metrics, access: Access, host: str) -> None:
        self._status = status
        self._metrics = metrics
        self._access = access
        self._host = host

    async def index(self, _request: Request) -> Response:
        return PlainTextResponse(INDEX)

    async def livez(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(self, _request: Request) -> Response:
        """It needs no token: what it says names receivers, never jobs."""
        ready = await asyncio.to_thread(self._status.ready)
        degraded = await asyncio.to_thread(self._status.degraded)
        body: dict[str, object] = {"ready": ready, "degraded": degraded}
        if ready:
            return JsonResponse(body)
        body["error"] = {"status": 503, "message": "no frames can come: see degraded"}
        return JsonResponse(body, status_code=503, headers={"Retry-After": str(RETRY_AFTER_S)})

    async def metrics(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        page, content_type = await asyncio.to_thread(self._metrics.exposition, accept)
        return Response(page, headers={"Content-Type": content_type})

    async def alerts(self, request: Request) -> Response:
        query_values(request.scope["query_string"], ())
        grant = grant_of(request)
        view = await asyncio.to_thread(self._status.view, grant.allows)
        if not grant.allows(Stream("", "")):  # a mute, or a broker's words, may name any job
            view = msgspec.structs.replace(view, mutes=[], degraded=[])
        return JsonResponse(view)

    async def mute(self, request: Request) -> Response:
        self._check_admin(request)
        # A page of another origin can send text without being asked, but not this type.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return error_response(415, "a mute is sent as application/json")
        asked = _decoded(await _body(request))
        try:
            seconds = parse_duration(asked.for_)
        except ValueError as error:
            raise ClientError(400, f"for: {error}") from None
        by = grant_of(request).name or asked.by
        mute = await asyncio.to_thread(self._status.mute, asked.matchers, seconds, asked.reason, by)
        return JsonResponse(mute, status_code=201)

    async def end_mute(self, request: Request) -> Response:
        self._check_admin(request)
        await asyncio.to_thread(self._status.end_mute, request.path_params["id"])
        return Response(status_code=204)

    def _check_admin(self, request: Request) -> None:
        query_values(request.scope["query_string"], ())
        if not self._access.required and not is_loopback(self._host):
            raise ClientError(
                403, "other machines can reach this API, so it mutes only with [access]: make a "
                "token that has the action admin"
            )  # fmt: skip
        grant_of(request).check_action("admin")


def create_app(status: Status, metrics: Metrics, access: Access, bind: str) -> Starlette:
    """The API of one process of alerts. `bind` is the `HOST:PORT` it is served at."""
    host = host_port(bind).host
    api = Api(status, metrics, access, host)
    routes: list[tuple[str, str, Callable[..., Any]]] = [
        ("GET", "/", api.index),
        ("GET", "/livez", api.livez),
        ("GET", "/readyz", api.readyz),
        ("GET", "/metrics", api.metrics),
        ("GET", "/v1/alerts", api.alerts),
        ("POST", "/v1/mutes", api.mute),
        ("DELETE", "/v1/mutes/{id}", api.end_mute),
    ]
    app = Starlette(
        routes=[Route(path, endpoint, methods=[method]) for method, path, endpoint in routes],
        middleware=[
            Middleware(
                Guard,
                host=host,
                requests=metrics.http_requests,
                routes={endpoint: path for _, path, endpoint in routes},
            ),
            Middleware(Permission, access=access, public=PUBLIC),
        ],
        exception_handlers={ClientError: on_client_error, HTTPException: on_route_error},
    )
    app.router.redirect_slashes = False
    return app


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > _MOST_BODY:
                raise ClientError(413, f"a mute takes at most {_MOST_BODY} bytes")
    except ClientDisconnect:
        raise ClientError(400, "the body was cut short") from None
    return body


def _decoded(body: bytes) -> MuteRequest:
    try:
        return msgspec.json.decode(body, type=MuteRequest)
    except msgspec.MsgspecError as error:
        said = str(error).replace("`", "")
        raise ClientError(400, f'{said}; right is {{"matchers": [...], "for": "2h"}}') from None
