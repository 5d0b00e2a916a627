"""One client's stream, from its beginning to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

from starlette.types import Scope

from broker.config.config import DashboardConfig
from broker.errors import ClientError
from broker.events import get_logger
from broker.topic import Stream
from broker.web.permission import grant_of
from subscribers.dashboard.catch_up import CatchUp
from subscribers.dashboard.client import FrameClient
from subscribers.dashboard.cluster_id import MOST_PLACES, cluster_id
from subscribers.dashboard.cluster_origins import ClusterBeginning, ClusterOrigins, now_ms
from subscribers.dashboard.event import PING, again_event, frames_event, state_event
from subscribers.dashboard.hub import PING_S, Hub
from subscribers.dashboard.journals import Journals
from subscribers.dashboard.live_frame import LiveFrame, single_events
from subscribers.dashboard.origins import Beginning, Origins
from subscribers.dashboard.page_frame import marked
from subscribers.dashboard.positions import Positions
from subscribers.dashboard.requester import address_of, session_of
from subscribers.dashboard.sse import EventStream

events: Final = get_logger("dashboard")

_ID_BYTES_PER_S: Final = 64 << 10


class Streaming(NamedTuple):
    """What both streams are made of."""

    hub: Hub
    origins: Origins
    cluster_origins: ClusterOrigins
    journals: Journals
    settings: DashboardConfig
    count_skipped: Callable[[int], object]

    def client(self, topic: Stream | str, scope: Scope) -> FrameClient:
        """A client for the request."""
        return FrameClient(
            topic,
            grant_of(scope),
            address_of(scope),
            session_of(scope),
            self.settings.client_buffer,
            self.settings.on_slow,
            self.hub.overflowed,
        )


class Pouring:
    """A job's stream: each frame is an event, whose id is its own position."""

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
        self._beginning = beginning
        self._out = out
        self._frames = CatchUp(
            client,
            parts.journals,
            positions,
            beginning.plan,
            parts.count_skipped,
            self._pack,
        )

    async def run(self) -> None:
        """Raises `ClientError` as long as nothing was sent."""
        opening = self._opening()  # its id is of what is before the first page
        async with aclosing(self._frames.replay()) as replay:
            first = await anext(replay, b"")
            await self._out.begin()
            await self._write(opening + first)
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

    def _opening(self) -> bytes:
        return self._state(self._beginning.event_id)

    def _pack(self, lives: Sequence[LiveFrame]) -> bytes:
        return single_events(lives)

    def _state(self, event_id: str = "") -> bytes:
        self._client.state_changed = False
        return state_event(self._hub.connected, self._hub.problem, event_id)


class ClusterPouring(Pouring):
    """A cluster's stream: an id holds every log's position, so frames share an event and its id."""

    _said = 0  # characters of ids that were not written yet

    def __init__(
        self,
        parts: Streaming,
        client: FrameClient,
        positions: Positions,
        beginning: ClusterBeginning,
        out: EventStream,
    ) -> None:
        super().__init__(parts, client, positions, beginning, out)
        self._begun = beginning

    def _opening(self) -> bytes:
        again = [again_event(*place) for place in self._begun.again]
        opening = self._state(self._vector()) + b"".join(again)
        lost = [LiveFrame.of(frame, marked(frame, None)) for frame in self._begun.lost]
        return opening + (self._pack(lost) if lost else b"")

    def _pack(self, lives: Sequence[LiveFrame]) -> bytes:
        event_id = self._vector()
        self._said += len(event_id)
        return frames_event([live.body for live in lives], event_id)

    async def _write(self, piece: bytes) -> None:
        await super()._write(piece)
        # What comes meanwhile shares the next id: ids are an eighth of what goes out, or few.
        said, self._said = self._said, 0
        if (over := said - len(piece) / 8) > 0:
            await asyncio.sleep(over / _ID_BYTES_PER_S)

    def _vector(self) -> str:
        places = self._positions.recent(MOST_PLACES)
        full = self._begun.full or len(self._positions) > MOST_PLACES
        return cluster_id(places, now_ms(), full=full)
