"""Permission, ahead of the routes: what a request may do, by its token or its cookie."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.access.access import Access, TooManyWrong
from broker.access.grant import Grant
from broker.errors import ClientError
from broker.web.errors import error_response

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_STATE: Final = "grant"

CookieLookup = Callable[[str], Grant | None]
"""The grant of a cookie's value; None where it opens nothing."""


class Permission:
    """ASGI middleware. The routes find the request's grant by `grant_of`; without one they are
    not reached: 401 in the one shape of errors, 429 after many wrong tokens.

    `public` are paths that need no token (and have no grant); one that ends in `*` is a prefix.
    `cookie` names the cookie that `session` knows; a bearer token goes before it. A request that
    changes something is refused (403) where its Origin is another host than it was sent to, but
    for `origins`: a browser sends the cookie, and reaches the loopback, for any page it shows.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        public: Collection[str] = (),
        cookie: str = "",
        session: CookieLookup | None = None,
        origins: Collection[str] = (),
    ) -> None:
        self._app = app
        self._access = access
        self._paths = frozenset(path for path in public if not path.endswith("*"))
        self._prefixes = tuple(path[:-1] for path in public if path.endswith("*"))
        self._cookie = cookie
        self._session = session
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_public(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] not in SAFE_METHODS and not self._is_own(headers):
            refusal = error_response(403, "a page of another origin may not change anything here")
            await refusal(scope, receive, send)
            return
        try:
            grant = self._grant(headers, (scope.get("client") or ("",))[0])
        except ClientError as error:
            refusal = error_response(error.status, error.message)
            if error.status == 401:
                refusal.headers["WWW-Authenticate"] = "Bearer"
            if isinstance(error, TooManyWrong):
                refusal.headers["Retry-After"] = str(error.retry_after)
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})[_STATE] = grant
        await self._app(scope, receive, send)

    def _grant(self, headers: Headers, address: str) -> Grant:
        if self._session is not None and "authorization" not in headers:
            value = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
            if value and (grant := self._session(value)) is not None:
                return grant
        return self._access.of_headers(headers, address)

    def _is_public(self, path: str) -> bool:
        return path in self._paths or path.startswith(self._prefixes)

    def _is_own(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None or origin in self._origins:
            return True
        host = headers.get("host", "").lower()
        return bool(host) and origin.partition("://")[2].lower() == host


def grant_of(request: HTTPConnection | Scope) -> Grant:
    """What the request may do; only behind `Permission`, and not on its public paths."""
    grant = request["state"][_STATE]
    assert isinstance(grant, Grant)
    return grant
