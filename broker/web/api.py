"""An HTTP API as one ASGI application, with what every one of ours answers without a token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, Protocol

from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from broker.access.access import Access
from broker.errors import ClientError
from broker.web.errors import RETRY_AFTER_S, JsonResponse, on_client_error, on_route_error
from broker.web.guard import Guard
from broker.web.permission import Permission

PUBLIC: Final = ("/", "/livez", "/readyz", "/metrics")


class Served(NamedTuple):
    """A route: its method, its path, and who answers."""

    method: str
    path: str
    endpoint: Callable[..., Any]


class Health(Protocol):
    """How the process does. Called on any of the API's worker threads."""

    def ready(self) -> bool: ...
    def degraded(self) -> list[str]: ...


class Metrics(Protocol):
    """What the process counts; as `Health`."""

    @property
    def http_requests(self) -> Counter: ...
    def exposition(self, accept: str) -> tuple[bytes, str]: ...


class PublicRoutes:
    """The handlers that need no token: what they say names no job. `index` is the text of `/`,
    `unready` why the process is not ready, in words."""

    def __init__(self, index: str, health: Health, metrics: Metrics, unready: str) -> None:
        self._index = index
        self._health = health
        self._metrics = metrics
        self._unready = unready

    @property
    def served(self) -> list[Served]:
        """Those of `PUBLIC`."""
        handlers = (self.index, self.livez, self.readyz, self.metrics)
        return [Served("GET", *route) for route in zip(PUBLIC, handlers, strict=True)]

    async def index(self, _request: Request) -> Response:
        return PlainTextResponse(self._index)

    async def livez(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(self, _request: Request) -> Response:
        ready = await asyncio.to_thread(self._health.ready)
        degraded = await asyncio.to_thread(self._health.degraded)
        body: dict[str, object] = {"ready": ready, "degraded": degraded}
        if ready:
            return JsonResponse(body)
        body["error"] = {"status": 503, "message": self._unready}
        return JsonResponse(body, status_code=503, headers={"Retry-After": str(RETRY_AFTER_S)})

    async def metrics(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        page, content_type = await asyncio.to_thread(self._metrics.exposition, accept)
        return Response(page, headers={"Content-Type": content_type})


def create_api(
    served: Iterable[Served], *, host: str, access: Access, requests: Counter
) -> Starlette:
    """The application: every request passes the guard, then the permissions. `host` is what the
    server is bound to; `requests` counts by route and status."""
    served = list(served)
    app = Starlette(
        routes=[Route(path, endpoint, methods=[method]) for method, path, endpoint in served],
        middleware=[
            Middleware(
                Guard,
                host=host,
                requests=requests,
                routes={route.endpoint: route.path for route in served},
            ),
            Middleware(Permission, access=access, public=PUBLIC),
        ],
        exception_handlers={ClientError: on_client_error, HTTPException: on_route_error},
    )
    app.router.redirect_slashes = False
    return app
