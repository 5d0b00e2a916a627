"""Every error of the API is `{"error": {"status": …, "message": …}}`, without traces or secrets."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from broker.errors import ClientError

RETRY_AFTER_S: Final = 1
_ROUTE_ERRORS: Final = {404: "there is nothing here; / lists what there is"}


class JsonResponse(Response):
    """Any msgspec-encodable value as JSON."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return msgspec.json.encode(content)


def error_response(status: int, message: str) -> JsonResponse:
    """The one shape; a 503 says when to ask again."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
    body = {"error": {"status": status, "message": message}}
    return JsonResponse(body, status_code=status, headers=headers)


def on_client_error(_request: Request, error: Exception) -> Response:
    """The handler for our own errors."""
    assert isinstance(error, ClientError)
    return error_response(error.status, error.message)


def on_route_error(_request: Request, error: Exception) -> Response:
    """The handler for what Starlette refuses by itself."""
    assert isinstance(error, HTTPException)
    if error.status_code != 405:
        message = _ROUTE_ERRORS.get(error.status_code, error.detail)
        return error_response(error.status_code, message)
    methods = sorted((error.headers or {}).get("Allow", "").replace(" ", "").split(","))
    response = error_response(405, f"only {' and '.join(methods)} are answered here")
    response.headers["Allow"] = ", ".join(methods)
    return response
