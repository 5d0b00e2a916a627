"""The routes of the dashboard, as one ASGI application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from broker.access.access import Access
from broker.access.sessions import Sessions
from broker.addresses import host_port
from broker.config.config import DashboardConfig
from broker.errors import ClientError
from broker.web.errors import error_response, on_client_error
from broker.web.guard import Guard
from broker.web.permission import Permission
from subscribers.dashboard.page_headers import PageHeaders
from subscribers.dashboard.requester import COOKIE

PUBLIC: Final = (
    *("/", "/jobs/*", "/static/*", "/favicon.ico"),
    *("/livez", "/readyz", "/metrics", "/v1/openapi.json"),
)
_EXPOSED: Final = (
    *("Raytap-Epoch", "Raytap-First", "Raytap-Next", "Raytap-Complete", "Raytap-Epochs"),
    "Retry-After",
)
_SAID: Final = {404: "there is nothing here", 405: "this method is not answered here"}

Endpoint = Callable[..., Any]


class Served(NamedTuple):
    """A route: its method, its path, and who answers."""

    method: str
    path: str
    endpoint: Endpoint


def create_app(
    served: list[Served],
    settings: DashboardConfig,
    access: Access,
    sessions: Sessions,
    requests: Counter,
) -> Starlette:
    """The application. Middleware goes from the outside in: headers before everything."""
    host = host_port(settings.bind).host
    middleware = [
        Middleware(PageHeaders, cross_origin=bool(settings.cors_origins)),
        Middleware(
            Guard,
            host=host,
            requests=requests,
            routes={route.endpoint: route.path for route in served},
        ),
    ]
    if settings.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Authorization", "Last-Event-ID"],
                expose_headers=_EXPOSED,
            )
        )
    middleware.append(
        Middleware(
            Permission,
            access=access,
            public=PUBLIC,
            cookie=COOKIE,
            session=sessions.grant,
            origins=settings.cors_origins,
        )
    )
    app = Starlette(
        routes=_routes(served),
        middleware=middleware,
        exception_handlers={ClientError: on_client_error, HTTPException: _on_route_error},
    )
    app.router.redirect_slashes = False
    return app


def _routes(served: list[Served]) -> list[Route]:
    """One route a method, and for each path one that says which methods there are."""
    routes = [Route(path, endpoint, methods=[method]) for method, path, endpoint in served]
    methods: dict[str, list[str]] = {}
    for route in served:
        methods.setdefault(route.path, []).append(route.method)
    return [*routes, *(Route(path, _Refusal(names)) for path, names in methods.items())]


class _Refusal:
    """Answers other methods."""

    def __init__(self, methods: list[str]) -> None:
        names = {*methods, *(["HEAD"] if "GET" in methods else [])}
        self._allow = ", ".join(sorted(names))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        refusal = error_response(405, _SAID[405])
        refusal.headers["Allow"] = self._allow
        await refusal(scope, receive, send)


def _on_route_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(error.status_code, _SAID.get(error.status_code, error.detail))
