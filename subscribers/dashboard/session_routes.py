"""`/v1/session`: who one is, and a cookie for a token: a browser keeps no token."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from broker.access.access import Access
from broker.access.sessions import Sessions
from broker.events import get_logger
from broker.web.errors import JsonResponse
from broker.web.permission import grant_of
from broker.web.query import query_values
from subscribers.dashboard.hub import Hub
from subscribers.dashboard.requester import COOKIE, address_of, session_of

events: Final = get_logger("dashboard")


class SessionBody(msgspec.Struct, frozen=True):
    """`GET /v1/session`. `expires`: unix seconds."""

    required: bool
    name: str
    clusters: list[str]
    jobs: list[str]
    actions: list[str]
    expires: float | None


class SessionRoutes:
    """The handlers. `seconds`: how long a sign-in lasts at most."""

    def __init__(
        self,
        access: Access,
        sessions: Sessions,
        hub: Hub,
        seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access = access
        self._sessions = sessions
        self._hub = hub
        self._seconds = seconds
        self._clock = clock
        self.sign_ins = 0

    async def show(self, request: Request) -> Response:
        """`GET`: what the request may do."""
        query_values(request.scope["query_string"], ())
        grant = grant_of(request)
        return JsonResponse(
            SessionBody(
                self._access.required,
                grant.name,
                list(grant.clusters),
                list(grant.jobs),
                sorted(grant.actions),
                grant.expires,
            )
        )

    async def sign_in(self, request: Request) -> Response:
        """`POST`, with the token as its bearer: the cookie."""
        query_values(request.scope["query_string"], ())
        grant = grant_of(request)
        response = Response(status_code=204)
        if not self._access.required or "authorization" not in request.headers:
            return response
        seconds = self._seconds
        if grant.expires is not None:
            seconds = min(seconds, grant.expires - self._clock())
        secure = request.url.scheme == "https" or (
            request.headers.get("x-forwarded-proto", "").lower() == "https"
        )
        response.set_cookie(
            COOKIE,
            self._sessions.create(grant, seconds),
            max_age=max(1, int(seconds)),
            path="/",
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        self.sign_ins += 1
        events.info("signed_in", name=grant.name, address=address_of(request.scope))
        return response

    async def sign_out(self, request: Request) -> Response:
        """`DELETE`: the cookie is good for nothing any more, and its streams end."""
        query_values(request.scope["query_string"], ())
        if session := session_of(request.scope):
            self._sessions.end(session)
            self._hub.sign_out(session)
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return response
