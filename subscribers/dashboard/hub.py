"""Who is to get what: the meeting point of the feed's thread and the clients' tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from broker.errors import ClientError
from broker.topic import Stream
from subscribers.dashboard.client import Client, FrameClient
from subscribers.dashboard.live_frame import Batch, LiveFrame
from subscribers.dashboard.slow_disconnects import SlowDisconnects

_MAX_BYTES: Final = 8 << 20  # of the feed's frames that the loop did not get to yet
PING_S: Final = 15.0
_TICK_S: Final = 1.0


class Hub:
    """All but `wants`, `deliver`, `changed`, `check` and `stop` runs on the event loop's thread.
    `may_stay`: whether a client's token and session are still good; asked once a second.

    `deliver` waits where the loop is far behind: the feed's subscription then drops live frames
    and gets them from the journal.
    """

    def __init__(
        self, max_clients: int, may_stay: Callable[[Client], bool], cut: SlowDisconnects
    ) -> None:
        self.clients: set[Client] = set()
        self.connected, self.problem = False, ""
        self.sent_bytes = 0
        self._max_clients = max_clients
        self._may_stay = may_stay
        self._cut = cut
        self._topics: dict[Stream | str, set[FrameClient]] = {}  # a job, or a cluster
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._waiting: list[LiveFrame] = []
        self._bytes = 0
        self._changed = threading.Condition()
        self._stopped = False

    # The feed's thread ---------------------------------------------------------------------------

    def wants(self, stream: Stream) -> bool:
        """Whether anyone is there for the job's frames."""
        return stream in self._topics or stream.cluster in self._topics

    def deliver(self, frames: list[LiveFrame], size: int) -> None:
        """Hand frames of `size` bytes over; they go out in this order."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < _MAX_BYTES or self._stopped)
            if self._stopped or self._loop is None:
                return
            if not self._waiting:
                self._loop.call_soon_threadsafe(self._pump)
            self._waiting += frames
            self._bytes += size

    def changed(self, connected: bool, problem: str) -> None:
        """How the link to the brokers is."""
        with self._changed:
            if not self._stopped and self._loop is not None:
                self._loop.call_soon_threadsafe(self._set_state, connected, problem)

    def check(self) -> None:
        """End the streams of those who may not stay, now; any thread."""
        with self._changed:
            if not self._stopped and self._loop is not None:
                self._loop.call_soon_threadsafe(self._check)

    # The loop's thread ---------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve from this loop."""
        self._loop = loop
        self._ticking = loop.create_task(self._tick())

    def stop(self) -> None:
        """End every stream; any thread, idempotent."""
        with self._changed:
            if self._stopped:
                return
            self._stopped = True
            self._changed.notify_all()
            loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._close_all)

    def add(self, client: Client) -> None:
        """Count the client in, and hand it frames from now on. Raises `ClientError` 503."""
        if self._stopped:
            raise ClientError(503, "the gateway is stopping")
        if len(self.clients) >= self._max_clients:
            raise ClientError(503, f"{self._max_clients} clients are connected; ask again")
        self.clients.add(client)
        if isinstance(client, FrameClient):
            self._topics.setdefault(client.topic, set()).add(client)

    def remove(self, client: Client) -> None:
        """The client is gone."""
        self.clients.discard(client)
        if isinstance(client, FrameClient) and (group := self._topics.get(client.topic)):
            group.discard(client)
            if not group:
                del self._topics[client.topic]

    def sign_out(self, session: str) -> None:
        """End the streams that were opened with this cookie."""
        for client in self.clients:
            if client.session == session:
                client.close()

    def overflowed(self, client: Client) -> None:
        """Count a client that is let go because its buffer is full."""
        self._cut.add(client.grant.name, client.address, client.what, "full")

    def stalled(self, client: Client) -> None:
        """Count a client whose connection was cut because it took nothing for long."""
        if not client.closed:
            self._cut.add(client.grant.name, client.address, client.what, "stalled")

    def _pump(self) -> None:
        with self._changed:
            frames, self._waiting = self._waiting, []
            self._bytes = 0
            self._changed.notify_all()
        by_topic: dict[Stream | str, list[LiveFrame]] = defaultdict(list)
        for live in frames:
            by_topic[live.stream].append(live)
            by_topic[live.stream.cluster].append(live)
        for topic, lives in by_topic.items():
            if group := self._topics.get(topic):
                batch = Batch(lives)
                for client in group:
                    client.offer(batch)

    def _set_state(self, connected: bool, problem: str) -> None:
        self.connected, self.problem = connected, problem
        for client in self.clients:
            if isinstance(client, FrameClient):
                client.state_changed = True
                client.wake()

    def _close_all(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        for client in self.clients:
            client.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._check()
            now = time.monotonic()
            for client in self.clients:
                if now - client.written >= PING_S:
                    client.wake()  # with nothing to send it sends a ping

    def _check(self) -> None:
        wall = time.time()
        for client in self.clients:
            expires = client.grant.expires
            if (expires is not None and wall >= expires) or not self._may_stay(client):
                client.close()
