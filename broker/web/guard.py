"""What every request passes: the Host check, the security headers, errors that say nothing
internal, and a count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.addresses import is_loopback
from broker.events import get_logger
from broker.web.errors import error_response

events: Final = get_logger("http")

_HEADERS: Final = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]

_CLIENT_GONE: Final = 499  # as nginx counts it


class Guard:
    """ASGI middleware. `host` is what the server is bound to; where that is loopback, a request
    for another host is refused: a page that rebinds its DNS name must not read logs.
    """

    def __init__(
        self, app: ASGIApp, *, host: str, requests: Counter, routes: Mapping[object, str]
    ) -> None:
        self._app = app
        self._host = host.lower()
        self._requests = requests
        self._routes = routes  # endpoint: path as it is labelled in the metric

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = 0  # the status, once there is one

        async def send_guarded(message: Message) -> None:
            nonlocal sent
            if message["type"] == "http.response.start":
                sent = message["status"]
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in _HEADERS if header[0] not in given),
                ]
            await send(message)

        if scope["path"].endswith("/") and scope["path"] != "/":
            scope["path"] = scope["path"][:-1]
        try:
            if self._is_foreign(scope):
                refusal = error_response(403, "this address serves only its own host name")
                await refusal(scope, receive, send_guarded)
            else:
                await self._app(scope, receive, send_guarded)
        except Exception as error:
            events.exception("http_request_failed", error, route=self._route(scope))
            if not sent:  # else the server cuts the connection: the client sees a broken body
                failure = error_response(500, "internal error; the log says more")
                await failure(scope, receive, send_guarded)
        finally:
            self._requests.labels(self._route(scope), str(sent or _CLIENT_GONE)).inc()

    def _is_foreign(self, scope: Scope) -> bool:
        if not is_loopback(self._host):
            return False
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return not all(self._is_ours(_without_port(host)) for host in hosts)

    def _is_ours(self, host: str) -> bool:
        return host == self._host or is_loopback(host)

    def _route(self, scope: Scope) -> str:
        return self._routes.get(scope.get("endpoint"), "other")


def _without_port(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
