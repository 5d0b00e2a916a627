"""The HTTP API of a running `raytap alerts`, as `status` and `mute` ask it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from broker.errors import ClientError
from broker.text.plain_text import one_line
from broker.web.connection_problem import connection_problem

URL: Final = "http://127.0.0.1:8272"
_TIMEOUT_S: Final = 10.0


class _Said(msgspec.Struct):
    message: str


class _Error(msgspec.Struct):
    error: _Said


def ask(base: str, token: str | None, method: str, path: str, body: object | None = None) -> bytes:
    """The body of its answer. Raises `ClientError`: what it says, 408 or 503 where nobody
    answers."""
    import urllib3

    url = base.rstrip("/") + path
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    extra: dict[str, Any] = {}
    if body is not None:
        headers["Content-Type"] = "application/json"
        extra["body"] = msgspec.json.encode(body)
    try:
        response = urllib3.request(
            method, url, headers=headers, retries=False, timeout=_TIMEOUT_S, redirect=False, **extra
        )
    except urllib3.exceptions.HTTPError as error:
        problem = connection_problem(error, base)
        raise ClientError(
            problem.status,
            f"{problem.message}; is `raytap alerts` running? --url URL names another",
        ) from None
    if 200 <= response.status < 300:
        return response.data
    try:
        said = msgspec.json.decode(response.data, type=_Error).error.message
    except msgspec.MsgspecError:
        said = f"HTTP {response.status}"
    status = response.status if response.status in (400, 401, 403, 404, 408, 429) else 503
    raise ClientError(status, f"{base}: {one_line(said)}")
