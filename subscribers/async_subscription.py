"""`async for frame in subscription`: a thread waits for frames, a few at a time, on demand."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from broker.frame import Frame

if TYPE_CHECKING:
    from subscribers.subscription import Subscription

_BATCH: Final = 256
_WAIT_S: Final = 0.5  # how long a thread stays behind when nobody awaits it any more


class AsyncFrames:
    """An async iterator over a subscription. One task iterates; a cancelled wait loses nothing.
    Nothing is read ahead beyond one batch, so the subscription's bounds hold."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._ready: deque[Frame] = deque()
        self._waiting: asyncio.Future[list[Frame] | None] | None = None

    def __aiter__(self) -> AsyncFrames:
        return self

    async def __anext__(self) -> Frame:
        while not self._ready:
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().run_in_executor(None, self._take)
            batch = await asyncio.shield(self._waiting)
            self._waiting = None
            if batch is None:
                raise StopAsyncIteration
            self._ready.extend(batch)
        return self._ready.popleft()

    def _take(self) -> list[Frame] | None:
        batch: list[Frame] = []
        frame = self._subscription.receive(_WAIT_S)
        while frame is not None:
            batch.append(frame)
            frame = self._subscription.receive(0) if len(batch) < _BATCH else None
        return None if not batch and self._subscription.closed else batch
