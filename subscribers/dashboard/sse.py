"""An event stream as an ASGI answer: its head, its pieces, and noticing that the client is gone."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Final, Self

from starlette.types import Receive, Scope, Send

from broker.web.protocol import is_stalled
from subscribers.dashboard.client import Client
from subscribers.dashboard.hub import Hub

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


class EventStream:
    """Open while it is entered: the client is in the hub then. One task uses it."""

    def __init__(self, hub: Hub, client: Client, scope: Scope, receive: Receive, send: Send):
        self._hub = hub
        self._client = client
        self._scope = scope
        self._is_head = scope["method"] == "HEAD"
        self._receive = receive
        self._send = send
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._hub.add(self._client)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hub.remove(self._client)
        if self._watch is not None:
            self._watch.cancel()

    async def begin(self) -> None:
        """Send the head. An answer to HEAD is over with it."""
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if self._is_head:
            self._client.close()
            return
        self._watch = asyncio.create_task(self._disconnected())

    async def write(self, body: bytes) -> None:
        """Send what is there. Waits while the client takes nothing."""
        client = self._client
        client.written = time.monotonic()
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        client.sent_bytes += len(body)
        self._hub.sent_bytes += len(body)

    async def end(self) -> None:
        """The last piece; a client that connects again goes on where it was."""
        await self._send({"type": "http.response.body", "body": b""})

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if is_stalled(self._scope):
            self._hub.stalled(self._client)
        self._client.close()
