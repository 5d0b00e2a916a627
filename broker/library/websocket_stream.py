"""A log over a websocket, as a generator of lines."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from concurrent.futures import Executor
from contextlib import closing

from broker.library.line_stream import LineStream
from broker.library.request import Timeout, checked_request
from broker.library.websocket_tail import WebSocketTail
from broker.limits import StreamLimits


class WebSocketStreamManager:
    """Streams logs over websockets, one thread of `thread_pool` for each stream that is read.

    `limits` are totals of each stream. Thread-safe; a generator belongs to one thread at a time.
    """

    def __init__(self, thread_pool: Executor, limits: StreamLimits) -> None:
        self._pool = thread_pool
        self._limits = limits

    def stream_logs(
        self, ws_url: str, headers: Mapping[str, str] | None, timeout: Timeout, context: str
    ) -> Generator[str, None, None]:
        """The log's lines, sanitized, without their ends, as they come. Connects at the first
        `next`; ends at the server's close with 1000, which Ray sends whatever became of the job.

        `timeout`: seconds (at most 300) for the connect and for each read, or a pair. A message is
        one websocket message, and `queue_size` of them wait for the consumer at most; where it
        does not take them, the pool has its thread back until it does. `context` stands in front
        of every error message. Closing the generator closes the connection and frees the thread
        at once. Redirects are not followed: they would take the headers' secrets along.

        Raises `ClientError`, after every complete line before it was yielded: 400 invalid
        arguments or a refused token, 404 unknown, 408 no connection or no byte in time, 429 over a
        limit (ours or the server's), 500 the server's error, 503 refused, no free thread, TLS, no
        websocket, cut, or closed with another code than 1000.
        """
        request = checked_request(ws_url, headers, timeout, context, ("ws", "wss"))
        lines = LineStream(self._limits, request)
        with closing(WebSocketTail(self._pool, self._limits, request)) as tail:
            yield from lines.read(tail.messages())
