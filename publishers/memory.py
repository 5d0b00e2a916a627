"""A transport that ends in memory, for tests. Every frame goes through the real codec."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Sequence

from broker.errors import ClientError
from broker.frame import Frame, decode
from broker.publisher import Message


class MemoryPublisher:
    """Records what is published. `fail`, `recover`, `block`, `unblock`, `join` and what was
    recorded are for any thread."""

    name = "memory"

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.frames: list[Frame] = []
        self.batches: list[int] = []  # how many frames each call published
        self.opened = 0
        self.closed = 0
        self.blocked = threading.Event()  # a call waits for `unblock`
        self._changed = threading.Condition()
        self._error: ClientError | None = None
        self._open = threading.Event()
        self._open.set()
        self._joins: list[bytes] = []
        self._joined_fd: int | None = None

    def fail(self, error: ClientError) -> None:
        """From now on `open` and `publish` raise this."""
        self._error = error

    def recover(self) -> None:
        """They work again."""
        self._error = None

    def block(self) -> None:
        """From now on `publish` hangs."""
        self._open.clear()

    def unblock(self) -> None:
        """It goes on."""
        self._open.set()

    def join(self, prefix: bytes) -> None:
        """A subscriber asks for a prefix; only while the transport is open."""
        with self._changed:
            self._joins.append(prefix)
            if self._joined_fd is not None:
                os.eventfd_write(self._joined_fd, 1)

    def received(self, count: int, prefix: bytes = b"", timeout: float = 10.0) -> list[Frame]:
        """What a subscriber to the prefix got, once it is `count` frames at least; seconds."""

        def matching() -> list[Frame]:
            pairs = zip(self.messages, self.frames, strict=True)
            return [frame for message, frame in pairs if message.topic.startswith(prefix)]

        with self._changed:
            if not self._changed.wait_for(lambda: len(matching()) >= count, timeout):
                raise AssertionError(f"{len(matching())} of {count} frames within {timeout:g} s")
            return matching()

    def open(self) -> None:
        """Begin again. Raises what `fail` was given."""
        self.close()
        self._raise_error()
        with self._changed:
            self._joined_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self.opened += 1

    def publish(self, messages: Sequence[Message]) -> None:
        """Record. Raises what `fail` was given, and `FrameError` where a payload is no frame."""
        if not self._open.is_set():
            self.blocked.set()
            self._open.wait()
            self.blocked.clear()
        self._raise_error()
        frames = [decode(payload) for _, payload in messages]
        with self._changed:
            self.messages += messages
            self.frames += frames
            self.batches.append(len(frames))
            self._changed.notify_all()

    def joined(self) -> list[bytes]:
        """What was given to `join` since the last call."""
        with self._changed:
            joins, self._joins = self._joins, []
            return joins

    def wait(self, wake: int, timeout: float) -> None:
        """Until `wake` is readable, someone joined or `timeout` seconds passed."""
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        if self._joined_fd is not None:
            poll.register(self._joined_fd, select.POLLIN)
        for fd, _ in poll.poll(timeout * 1000):
            if fd == self._joined_fd:
                os.eventfd_read(fd)

    def close(self) -> None:
        """Idempotent."""
        with self._changed:
            if self._joined_fd is not None:
                os.close(self._joined_fd)
                self._joined_fd = None
                self.closed += 1

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
