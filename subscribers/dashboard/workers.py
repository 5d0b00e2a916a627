"""A few threads that wait for others' servers, so that the event loop does not. They are daemons:
a server that hangs does not keep the process from ending."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Workers:
    """Threads are started when they are first needed. `run` belongs to the event loop's thread."""

    def __init__(self, count: int, name: str) -> None:
        self.waiting = 0  # calls that were not answered yet
        self._count = count
        self._name = name
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def run(self, call: Callable[[], T]) -> T:
        """What the call gives or raises. One that is not awaited any more is still made."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                result = call()
            except BaseException as error:
                _tell(loop, answer, answer.set_exception, error)
            else:
                _tell(loop, answer, answer.set_result, result)

        self._calls.put(work)
        if len(self._threads) < min(self._count, self.waiting + 1):
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self.waiting += 1
        try:
            return await answer
        finally:
            self.waiting -= 1

    def _work(self) -> None:
        while True:
            self._calls.get()()


def _tell(
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[Any],
    tell: Callable[[Any], None],
    value: Any,
) -> None:
    def settle() -> None:
        if not answer.done():  # else nobody waits any more
            tell(value)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop is closed: the server is down
