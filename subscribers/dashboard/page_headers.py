"""What every answer tells a browser: run nothing but the page's own files, show it in no frame."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = [
    (b"content-security-policy", CSP.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),  # a job's URL stays here
    (b"x-frame-options", b"DENY"),
]


class PageHeaders:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, cross_origin: bool) -> None:
        self._app = app
        # Where other origins were let in by name, the resource policy would shut them out again.
        self._headers = [
            (name, b"cross-origin" if cross_origin and b"resource" in name else value)
            for name, value in _HEADERS
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)
