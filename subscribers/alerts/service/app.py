"""The routes of `raytap alerts`, as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from broker.access.access import Access
from broker.addresses import host_port, is_loopback
from broker.config.units import parse_duration
from broker.errors import ClientError
from broker.topic import Stream
from broker.web.api import Health, PublicRoutes, Served, create_api
from broker.web.errors import JsonResponse, error_response
from broker.web.permission import grant_of
from broker.web.query import line_number, query_values
from subscribers.alerts.delivery.views import AlertsView
from subscribers.alerts.notifications.mutes import Mute
from subscribers.alerts.service.metrics import Metrics

INDEX: Final = """\
raytap alerts: rules on live logs and on the jobs' life

/livez               the process runs
/readyz              frames can come; what is degraded
/metrics             for Prometheus
/v1/alerts           what fires, what did, mutes and receivers    ?limit=ALERTS of each
/v1/mutes            POST {"matchers": ["severity=\\"info\\""], "for": "2h", "reason": "…"}
/v1/mutes/ID         DELETE ends it
"""
LIMIT: Final = 500
"""Alerts that fire, and as many that are over, in an answer that was not asked for more or less."""
MOST_LISTED: Final = 10_000
_MOST_BODY: Final = 64 << 10  # bytes


class Status(Health, Protocol):
    """What the service tells; on any of the API's worker threads."""

    def view(self, allows: Callable[[Stream], bool], limit: int) -> AlertsView: ...
    def mute(self, matchers: list[str], seconds: float, reason: str, by: str) -> Mute: ...
    def end_mute(self, id_: str) -> None: ...


class MuteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"for_": "for"}):
    """The body of `POST /v1/mutes`; `for` in seconds, or with a unit."""

    matchers: list[str]
    for_: float | str
    reason: str = ""
    by: str = ""


class Api:
    """The handlers; all they know comes from `Status`."""

    def __init__(self, status: Status, access: Access, host: str) -> None:
        self._status = status
        self._access = access
        self._host = host

    async def alerts(self, request: Request) -> Response:
        asked = query_values(request.scope["query_string"], ("limit",))
        limit = line_number("limit", asked.get("limit", str(LIMIT)))
        if limit > MOST_LISTED:
            raise ClientError(400, f"limit must be at most {MOST_LISTED}")
        grant = grant_of(request)
        view = await asyncio.to_thread(self._status.view, grant.allows, limit)
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
    api = Api(status, access, host)
    public = PublicRoutes(INDEX, status, metrics, "no frames can come: see degraded")
    served = [
        *public.served,
        Served("GET", "/v1/alerts", api.alerts),
        Served("POST", "/v1/mutes", api.mute),
        Served("DELETE", "/v1/mutes/{id}", api.end_mute),
    ]
    return create_api(served, host=host, access=access, requests=metrics.http_requests)


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
