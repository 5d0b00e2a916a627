"""`async for frame in subscription`: a thread waits for frames, a few at a time, on demand."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from broker.frame import Frame

if TYPE_CHECKING:
    from subscribers.subscription import Subscription

_BATCH: Final = 256
_WAIT_S: Final = 0.5  # how long a thread stays behind when nobody awaits it any more


class AsyncFrames:
    """The async iterator of a subscription. One task iterates, under one event loop after the
    other; neither a cancelled wait nor a loop that ends loses anything. Nothing is read ahead
    beyond one batch, so the subscription's bounds hold."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._ready: deque[Frame] = deque()
        self._over = False
        self._taking = threading.Lock()
        self._waiting: asyncio.Future[None] | None = None

    def __aiter__(self) -> AsyncFrames:
        return self

    async def __anext__(self) -> Frame:
        loop = asyncio.get_running_loop()
        while not self._ready:
            if self._over:
                raise StopAsyncIteration
            if self._waiting is None or self._waiting.get_loop() is not loop:
                self._waiting = loop.run_in_executor(None, self._take)
            waiting = self._waiting
            try:
                await asyncio.shield(waiting)
            finally:
                if waiting.done():
                    self._waiting = None
        return self._ready.popleft()

    def _take(self) -> None:
        with self._taking:  # of a loop that is gone one may still wait
            if self._ready:
                return
            frame = self._subscription.receive(_WAIT_S)
            while frame is not None:
                self._ready.append(frame)
                frame = self._subscription.receive(0) if len(self._ready) < _BATCH else None
            self._over = not self._ready and self._subscription.closed
