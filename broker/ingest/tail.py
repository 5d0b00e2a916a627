"""One job's websocket tail over its reconnects: slots, fruitless attempts, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from broker.ingest.context import Context
from broker.sources.endpoints import Endpoint
from broker.sources.websocket_tail import WebsocketTail
from broker.validate import http_to_websocket_url

FRUITLESS: Final = 2  # reconnects without a new line: Ray's tail can't carry this log


class Tail:
    """Holds one of the cluster's websocket slots while it is open. Used by one thread at a time."""

    def __init__(self, context: Context, job: str, wake: Callable[[], None]) -> None:
        self._context = context
        self._path = f"/api/jobs/{quote(job, safe='')}/logs/tail"
        self._wake = wake
        self._connection: WebsocketTail | None = None
        self._endpoint: Endpoint | None = None
        self._opened = 0.0
        self._line = 0  # the position when it was opened
        self.fruitless = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, or the attempt at one."""
        return self._connection is not None

    def open(self, line: int, now: float) -> bool:
        """Connect in the background; False where no slot is free. Raises `ClientError` 503."""
        endpoint = self._context.endpoints.choose()
        if not self._context.websockets.acquire(blocking=False):
            return False
        config = self._context.config
        self._endpoint = endpoint
        self._opened = now
        self._line = line
        self._connection = WebsocketTail(
            http_to_websocket_url(endpoint.url + self._path),
            {k: v for k, v in self._context.client.headers.items() if k != "Accept-Encoding"},
            config.connect_timeout,
            self._wake,
            config.ca_file,
            config.proxy,
        )
        self._connection.start()
        return True

    def take(self) -> bytes:
        """What has come since the last call."""
        return self._connection.take() if self._connection else b""

    def over(self, line: int) -> bool:
        """Whether the connection has ended and all of it was taken.

        Then the slot is free again. Raises the `ClientError` it ended with, if Ray did not
        close it.
        """
        if self._connection is None or not self._connection.closed:
            return False
        error = self._connection.error
        self.fruitless = 0 if line > self._line else self.fruitless + 1
        if error is not None and self._endpoint is not None and error.status in (408, 503):
            self._context.endpoints.failed(
                self._endpoint, self._context.clock() - self._opened, error
            )
        self.close()
        if error is not None:
            raise error
        return True

    @property
    def hopeless(self) -> bool:
        """Whether Ray's tail can't carry this log (a bad byte, a huge line)."""
        return self.fruitless >= FRUITLESS

    def close(self) -> None:
        """Cut the connection and give the slot back. Idempotent."""
        if self._connection is not None:
            self._connection.stop()
            self._connection = None
            self._context.websockets.release()
