"""Those who hold an event stream open. Everything here runs on the event loop's thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Literal

from broker.access.grant import Grant
from broker.events import get_logger
from broker.topic import Stream
from subscribers.dashboard.backlog import Backlog
from subscribers.dashboard.live_frame import Batch

events: Final = get_logger("dashboard")

OnSlow = Literal["skip", "disconnect"]

_SLOW_FOR_S: Final = 60.0  # after the last time it was


class Client:
    """One open event stream. `wake` makes its task go on; `close` makes it end."""

    def __init__(self, what: str, grant: Grant, address: str, session: str = "") -> None:
        self.what = what
        self.grant = grant
        self.address = address
        self.session = session  # the cookie it came with, if any
        self.since = time.time()
        self.written = time.monotonic()  # when something was last sent
        self.sent_bytes = 0
        self.closed = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def buffered(self) -> int:
        """Bytes that wait for it."""
        return 0

    @property
    def skipped(self) -> int:
        """Lines that it was told it does not get."""
        return 0

    @property
    def slow(self) -> bool:
        """Whether it takes less than there is."""
        return False

    def wake(self) -> None:
        """There is something for it."""
        if (waiter := self._waiter) is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Until `wake` is called, or cancelled."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def close(self) -> None:
        """End its stream soon."""
        self.closed = True
        self.wake()


class FrameClient(Client):
    """Gets frames: of one job, or of all jobs of a cluster that its grant opens.
    `let_go` is called where it is, for being slow."""

    def __init__(
        self,
        topic: Stream | str,
        grant: Grant,
        address: str,
        session: str,
        limit: int,
        on_slow: OnSlow,
        let_go: Callable[[Client], object],
    ) -> None:
        super().__init__(str(topic), grant, address, session)
        self.topic = topic
        self.backlog = Backlog(limit)
        self.catching_up = True  # what does not fit is in the journal, and comes from there
        self.state_changed = False
        self.skipped_lines = 0
        self.half_full = limit // 2
        self.was_slow = -_SLOW_FOR_S
        self._on_slow = on_slow
        self._let_go = let_go
        self._allowed: dict[Stream, bool] = {}

    @property
    def buffered(self) -> int:
        return self.backlog.size

    @property
    def skipped(self) -> int:
        return self.skipped_lines

    @property
    def slow(self) -> bool:
        recently = time.monotonic() - self.was_slow < _SLOW_FOR_S
        return recently or (not self.catching_up and self.buffered > self.half_full)

    def may_read(self, stream: Stream) -> bool:
        """Whether its grant opens the job; asked once for each."""
        allowed = self._allowed.get(stream)
        if allowed is None:
            allowed = self._allowed[stream] = self.grant.allows(stream)
        return allowed

    def offer(self, batch: Batch) -> None:
        """Frames for it. Never waits."""
        if self.closed:
            return
        if isinstance(self.topic, str) and not self._sees_all(batch):
            batch = Batch([live for live in batch.frames if self.may_read(live.stream)])
            if not batch.frames:
                return
        if not self.backlog.put(batch) and not self.catching_up:
            self._overflowed()
        self.wake()

    def _sees_all(self, batch: Batch) -> bool:
        return all(self.may_read(live.stream) for live in batch.frames)

    def _overflowed(self) -> None:
        now = time.monotonic()
        if now - self.was_slow >= _SLOW_FOR_S:
            events.warning(
                "client_slow", name=self.grant.name, address=self.address, what=self.what
            )
        self.was_slow = now
        if self._on_slow == "disconnect":
            self._let_go(self)
            self.backlog.clear()
            self.close()
