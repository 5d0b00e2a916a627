"""One websocket, read by a pool's threads for one consumer, with a bounded queue between them."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import suppress
from threading import Condition
from typing import Any, Final

from broker.errors import ClientError
from broker.library.http_status import client_status, explain_answer
from broker.library.line_stream import Message
from broker.library.request import Request
from broker.library.transport_error import client_errors
from broker.limits import StreamLimits

QUEUED_BYTES: Final = 8 << 20  # the queue is full with these too, however few messages they are
_CLOSE_S: Final = 1.0  # how long `close` waits for the reading thread, which is woken first


class WebSocketTail:
    """A connection and its queue. A full queue sends the reading thread back to the pool, and the
    consumer asks for its next turn when it takes what waits. So a consumer that stalls holds a
    socket, never a thread, and TCP holds the sender back.
    """

    def __init__(self, pool: Executor, limits: StreamLimits, request: Request) -> None:
        self._pool = pool
        self._limits = limits
        self._request = request
        self._changed = Condition()
        self._queue: deque[Message] = deque()
        self._queued_bytes = 0
        self._errors: deque[ClientError] = deque()
        self._ended = False  # nothing more will be queued
        self._closed = False  # nobody takes from the queue any more
        self._reading = False  # a turn is asked for or under way
        self._deadline: float | None = None  # monotonic; None while connected and reading
        self._turn: Future[None] | None = None
        self._socket: Any = None  # websocket-client is not typed

    def messages(self) -> Iterator[list[Message]]:
        """Messages as they come, all that wait at a time, up to a close with 1000. Raises
        `ClientError` once all that came before it was taken."""
        while messages := self._take():
            yield messages

    def close(self) -> None:
        """Cut the connection, and wait (a second at most) until the pool has its thread back; one
        that is still connecting ends by itself at the connect timeout. Idempotent."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            turn = self._turn
        if turn is not None and not turn.cancel():
            self._wake()
            wait([turn], timeout=_CLOSE_S)
        if self._socket is not None and (turn is None or turn.done()):
            self._socket.shutdown()

    # The consumer's side.

    def _take(self) -> list[Message]:
        """What waits, at least one; nothing at the end."""
        while True:
            with self._changed:
                messages = list(self._queue)
                self._queue.clear()
                self._queued_bytes = 0
                ask = not self._reading and not self._ended
                if ask:
                    self._reading = True
                    self._deadline = time.monotonic() + self._request.connect_s
                elif not messages:
                    if self._errors:
                        raise self._errors.popleft()
                    if self._ended:
                        return []
                    self._wait()
            if ask:
                self._ask()
            if messages:
                return messages

    def _wait(self) -> None:
        left = None if self._deadline is None else self._deadline - time.monotonic()
        if left is None or left > 0:
            self._changed.wait(left)
        elif self._turn is not None and self._turn.cancel():
            raise self._request.error(503, "no thread of the pool was free in time")
        elif self._socket is None:
            raise self._request.error(408, "timed out, no connection")
        else:  # the turn begins at this very moment
            self._deadline = None

    def _ask(self) -> None:
        try:
            self._turn = self._pool.submit(self._read)
        except RuntimeError:
            self._end(self._request.error(503, "the thread pool is shut down"))
        else:
            self._turn.add_done_callback(self._turn_over)

    def _turn_over(self, turn: Future[None]) -> None:
        if turn.cancelled():
            self._end(self._request.error(503, "the thread pool was shut down"))
        elif (error := turn.exception()) is not None:
            self._end(self._request.error(500, error))

    # The reading thread's side.

    def _read(self) -> None:
        """One turn: until the queue is full, the connection over, or the consumer gone."""
        try:
            if self._socket is None:
                self._connect()
            with self._changed:
                self._deadline = None
                if self._closed:
                    return
            while (message := self._receive()) is not None:
                if not self._put(message):
                    return
            self._end()
        except ClientError as error:
            self._end(error)
        finally:
            if self._socket is not None and (self._ended or self._closed):
                self._socket.shutdown()

    def _connect(self) -> None:
        import websocket

        with self._changed:
            self._deadline = time.monotonic() + self._request.connect_s
            self._changed.notify()
        with client_errors(self._request, websocket.WebSocketException):
            try:
                self._socket = websocket.create_connection(
                    self._request.url,
                    timeout=self._request.connect_s,
                    header=[f"{name}: {value}" for name, value in self._request.headers.items()],
                    suppress_origin=True,  # we are no browser, and some proxies refuse foreign ones
                    redirect_limit=0,  # a redirect would take the headers' secrets along
                    skip_utf8_validation=True,  # its check runs at 5 MB/s; the pipeline replaces
                    fire_cont_frame=True,  # else fragments are joined in quadratic time
                )
            except websocket.WebSocketBadStatusException as error:
                answer = explain_answer(error.status_code, error.resp_body)
                raise self._request.error(client_status(error.status_code), answer) from error
            self._socket.settimeout(self._request.read_s)

    def _receive(self) -> Message | None:
        import websocket

        with client_errors(self._request, websocket.WebSocketException):
            opcode, frame = self._socket.recv_data_frame()
        if opcode != websocket.ABNF.OPCODE_CLOSE:
            return Message(frame.data, begins=opcode != websocket.ABNF.OPCODE_CONT)
        code = int.from_bytes(frame.data[:2], "big")
        if code == websocket.STATUS_NORMAL:
            return None
        reason = frame.data[2:].decode("utf-8", "replace")
        raise self._request.error(503, f"closed early with code {code or 'none'} {reason}".strip())

    def _put(self, message: Message) -> bool:
        """Whether there is room for another one; where not, this turn is over."""
        with self._changed:
            if self._closed:
                return False
            if not self._queue:
                self._changed.notify()
            self._queue.append(message)
            self._queued_bytes += len(message.data)
            self._reading = (
                len(self._queue) < self._limits.queue_size and self._queued_bytes < QUEUED_BYTES
            )
            return self._reading

    def _end(self, error: ClientError | None = None) -> None:
        with self._changed:
            if error is not None and len(self._errors) < self._limits.exception_queue_size:
                self._errors.append(error)
            self._ended = True
            self._changed.notify()

    def _wake(self) -> None:
        """End a read that is under way: the peer's silence would hold the thread otherwise."""
        sock = getattr(self._socket, "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
