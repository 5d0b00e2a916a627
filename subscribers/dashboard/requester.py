"""Who asks, as far as a request tells."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

COOKIE: Final = "raytap_session"


def address_of(scope: Scope) -> str:
    """HOST:PORT of the other end."""
    host, port = scope.get("client") or ("", 0)
    return f"{host}:{port}"


def session_of(scope: Scope) -> str:
    """The value of the cookie that let the request in; "" where a bearer token did."""
    headers = Headers(scope=scope)
    if "authorization" in headers:
        return ""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
