"""`GET …/stream`: live frames as server-sent events, from where the client was."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Final, NamedTuple

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from broker.config import DashboardConfig
from broker.errors import ClientError
from broker.events import get_logger
from broker.topic import Stream
from broker.validate import validate_resource_id
from broker.web.permission import grant_of
from broker.web.query import query_values, stream_of
from subscribers.dashboard.catch_up import CatchUp
from subscribers.dashboard.client import FrameClient
from subscribers.dashboard.cluster_id import MOST_PLACES, cluster_id, parse_cluster_id
from subscribers.dashboard.event import PING, id_line, state_event
from subscribers.dashboard.hub import PING_S, Hub
from subscribers.dashboard.journals import Journals
from subscribers.dashboard.origins import Beginning, Origins, now_ms
from subscribers.dashboard.positions import Positions
from subscribers.dashboard.requester import address_of, session_of
from subscribers.dashboard.resume import wanted
from subscribers.dashboard.sse import EventStream

events: Final = get_logger("dashboard")

_ID_EVERY_S: Final = 1.0


class Streaming(NamedTuple):
    """What both streams are made of."""

    hub: Hub
    origins: Origins
    journals: Journals
    settings: DashboardConfig
    count_skipped: Callable[[int], object]
    count_disconnect: Callable[[], object]

    def client(self, topic: Stream | str, scope: Scope) -> FrameClient:
        """A client for the request."""
        return FrameClient(
            topic,
            grant_of(scope),
            address_of(scope),
            session_of(scope),
            self.settings.client_buffer,
            self.settings.on_slow,
            self.count_disconnect,
        )


class JobStreamRoute:
    """The ASGI application of `/v1/jobs/{cluster}/{job}/stream`."""

    def __init__(self, streaming: Streaming) -> None:
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = self._streaming
        stream = stream_of(scope["path_params"])
        grant_of(scope).check(stream)
        asked = query_values(scope["query_string"], ("from",))
        start = wanted(_last_event_id(scope), asked.get("from"))
        client = parts.client(stream, scope)
        positions = Positions()
        async with EventStream(parts.hub, client, scope, receive, send) as out:
            beginning = await parts.origins.of_job(stream, start, positions)
            await _Pouring(parts, client, positions, beginning, out).run()


class ClusterStreamRoute:
    """The ASGI application of `/v1/clusters/{cluster}/stream`."""

    def __init__(self, streaming: Streaming) -> None:
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = self._streaming
        cluster = validate_resource_id(scope["path_params"]["cluster"], "cluster")
        if not grant_of(scope).allows_cluster(cluster):
            raise ClientError(403, f"this token may not read cluster {cluster}")
        query_values(scope["query_string"], ())
        last_id = _last_event_id(scope)
        start = parse_cluster_id(last_id) if last_id else None
        client = parts.client(cluster, scope)
        positions = Positions()
        async with EventStream(parts.hub, client, scope, receive, send) as out:
            beginning = parts.origins.of_cluster(client, cluster, start, positions)
            await _ClusterPouring(parts, client, positions, beginning, out).run()


class _Pouring:
    """One client's stream, from its beginning to its end."""

    with_ids = True

    def __init__(
        self,
        parts: Streaming,
        client: FrameClient,
        positions: Positions,
        beginning: Beginning,
        out: EventStream,
    ) -> None:
        self._hub = parts.hub
        self._client = client
        self._positions = positions
        self._event_id = beginning.event_id
        self._out = out
        self._frames = CatchUp(
            client,
            parts.journals,
            positions,
            beginning.plan,
            parts.count_skipped,
            with_ids=self.with_ids,
        )

    async def run(self) -> None:
        """Raises `ClientError` as long as nothing was sent."""
        async with aclosing(self._frames.replay()) as replay:
            first = await anext(replay, b"")
            await self._out.begin()
            await self._out.write(self._state(self._event_id) + first)
            try:
                async for piece in replay:
                    if self._client.closed:
                        break
                    await self._write(piece)
                await self._go_on()
            except ClientError as error:  # it is to come back, and goes on where it was
                events.warning("stream_broken", what=self._client.what, error=error)
        await self._out.end()

    async def _go_on(self) -> None:
        client, frames = self._client, self._frames
        while not client.closed:
            if frames.replaying:
                async with aclosing(frames.replay()) as replay:
                    async for piece in replay:
                        if client.closed:
                            break
                        await self._write(piece)
                continue
            body = frames.live()
            if client.state_changed:
                body = self._state() + body
            if body:
                await self._write(body)
            elif time.monotonic() - client.written >= PING_S:
                await self._write(PING)
            elif not frames.replaying and not client.backlog:
                await client.wait()

    async def _write(self, piece: bytes) -> None:
        if piece:
            await self._out.write(piece)

    def _state(self, event_id: str = "") -> bytes:
        self._client.state_changed = False
        return state_event(self._hub.connected, self._hub.problem, event_id)


class _ClusterPouring(_Pouring):
    """Its ids hold every log's position, so that they come once a second, not with each frame."""

    with_ids = False
    _said = 0.0

    async def run(self) -> None:
        self._event_id = self._vector()
        await super().run()

    async def _write(self, piece: bytes) -> None:
        now = time.monotonic()
        if piece and piece != PING and now - self._said >= _ID_EVERY_S:
            self._said = now
            piece += id_line(self._vector()) + b"\n"
        await super()._write(piece)

    def _vector(self) -> str:
        places = self._positions.recent(MOST_PLACES)
        return cluster_id(places, now_ms(), full=len(self._positions) > MOST_PLACES)


def _last_event_id(scope: Scope) -> str:
    return Headers(scope=scope).get("last-event-id", "").strip()
