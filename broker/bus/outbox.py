"""The outbox: a bounded queue in front of one transport, and the one thread that calls it.

Whatever the transport does, `put` never waits, and other outboxes never notice.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from broker.backoff import Backoff
from broker.bus.frame_queue import FrameQueue, Outgoing
from broker.bus.hold_back import HoldBack
from broker.error_message import sanitize_error_message
from broker.errors import ClientError
from broker.events import get_logger
from broker.publisher import Publisher
from broker.topic import Stream

__all__ = ["Outbox", "Outgoing"]

FRAME_BYTES: Final = 64 << 10  # the queue's bound in bytes, for each frame of its bound in frames
BATCH_BYTES: Final = 1 << 20
BATCH_FRAMES: Final = 1_000
IDLE_SECONDS: Final = 1.0  # so often an idle transport is looked at
PROGRESS_SECONDS: Final = 1.0  # a transport that sent nothing for so long is stuck, not slow

events: Final = get_logger("outbox")


class Outbox:
    """Hands frames to a publisher, in order. Public methods and properties are for any thread,
    `wait_for_room` for one at a time.

    Full, it drops the oldest frame of the stream that holds most of it. A publisher that fails is
    closed and opened again after a backoff, and the frames wait. `on_join` is called on the
    outbox's thread with the topic prefixes that subscribers asked for; it must not raise.
    """

    def __init__(
        self,
        publisher: Publisher,
        queue_size: int,
        backoff: Backoff,
        on_join: Callable[[list[bytes]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`queue_size` in frames; the bound in bytes is 64 KiB for each."""
        self._publisher = publisher
        self._backoff = backoff
        self._on_join = on_join
        self._clock = clock
        self._queue = FrameQueue(queue_size, queue_size * FRAME_BYTES)
        self._batch_frames = max(1, min(BATCH_FRAMES, queue_size // 4))
        self._hold_back = HoldBack(clock())
        self._progress_at = clock()
        self._dropped: Counter[Stream] = Counter()
        self._dropped_frames = 0
        self._published_frames = 0
        self._published_bytes = 0
        self._errors = 0
        self._last_error: ClientError | None = None
        self._connected = False
        self._changed = threading.Condition()
        self._tried = threading.Event()  # to open, for the first time
        self._stopping = threading.Event()
        self._deadline = 0.0
        self._ended = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(
            target=self._run, name=f"raytap-{publisher.name}", daemon=True
        )

    def start(self, timeout: float = 1.0) -> None:
        """Open the transport, and wait for that up to `timeout` seconds.

        Raises `ClientError` 400 where its setting is wrong. One that cannot be reached is no
        error: it is tried again and again.
        """
        self._thread.start()
        self._tried.wait(timeout)
        error = self._last_error
        if error is not None and error.status == 400:
            self.stop(timeout)
            raise error

    def put(self, frames: Sequence[Outgoing]) -> None:
        """Queue frames behind those before. Never waits; what it drops is counted."""
        if not frames:
            return
        with self._changed:
            if not len(self._queue):
                self._progress_at = self._clock()  # there was nothing to get on with
            dropped = self._queue.put(frames)
            self._dropped.update(frame.stream for frame in dropped)
            self._dropped_frames += len(dropped)
            if not self._ended:
                os.eventfd_write(self._wake, 1)

    def wait_for_room(self, timeout: float = 1.0) -> float:
        """Hold the caller back while the queue is more than half full and the transport gets on;
        returns the seconds. A burst of 5, and a tenth of the time in the long run, is the most:
        beyond it a transport that is too slow loses frames, and its neighbours don't wait."""
        with self._changed:
            start = now = self._clock()
            until = start + min(timeout, self._hold_back.left(start))
            while now < until and self._connected and self._queue.crowded:
                stuck_at = self._progress_at + PROGRESS_SECONDS
                if now >= stuck_at:
                    break
                self._changed.wait(min(until, stuck_at) - now)
                now = self._clock()
            self._hold_back.spend(now - start, now)
            return now - start

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put before has left or was dropped; False after `timeout`."""
        with self._changed:
            last = self._queue.last
            return self._changed.wait_for(lambda: self._queue.oldest > last, timeout)

    def stop(self, timeout: float) -> int:
        """Publish what is queued, for at most `timeout` seconds, and close. Idempotent.

        Returns how many frames were left. A transport that hangs is left to its own thread, which
        ends when the call does.
        """
        with self._changed:
            if not self._stopping.is_set():
                self._deadline = self._clock() + timeout
                self._stopping.set()
            if self._thread.ident is None:
                self._end()
            if not self._ended:
                os.eventfd_write(self._wake, 1)
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return self.depth

    @property
    def name(self) -> str:
        """The transport's name."""
        return self._publisher.name

    @property
    def connected(self) -> bool:
        """Whether the transport is open."""
        return self._connected

    @property
    def depth(self) -> int:
        """Frames that wait or are being sent."""
        return len(self._queue)

    @property
    def depth_bytes(self) -> int:
        """Bytes of those frames."""
        return self._queue.size

    @property
    def published(self) -> int:
        """All frames put up to this sequence have left or were dropped; 0 before the first put."""
        return self._queue.released

    @property
    def published_frames(self) -> int:
        """Frames sent."""
        return self._published_frames

    @property
    def published_bytes(self) -> int:
        """Bytes sent."""
        return self._published_bytes

    @property
    def dropped(self) -> int:
        """Frames that a full queue let go of."""
        return self._dropped_frames

    def dropped_of(self, stream: Stream) -> int:
        """Frames of one stream that a full queue let go of."""
        return self._dropped[stream]

    def forget(self, stream: Stream) -> None:
        """The stream is over: its own count of drops is no longer kept."""
        with self._changed:
            self._dropped.pop(stream, None)

    @property
    def errors(self) -> int:
        """How often the transport failed."""
        return self._errors

    @property
    def last_error(self) -> ClientError | None:
        """How it failed last."""
        return self._last_error

    def _run(self) -> None:
        while True:
            last = self._stopping.is_set()
            try:
                self._publisher.open()
                self._opened()
                self._serve()
                break
            except Exception as error:  # whatever a transport raises, its outbox goes on
                self._failed(error)
            self._publisher.close()
            if last or (self._stopping.is_set() and self._clock() >= self._deadline):
                break
            self._stopping.wait(self._backoff.next())
        self._publisher.close()
        with self._changed:
            self._end()

    def _serve(self) -> None:
        while True:
            with self._changed:
                batch = self._queue.take(self._batch_frames, BATCH_BYTES)
            if batch:
                self._publisher.publish(batch)
                self._sent()
            elif self._stopping.is_set():
                return
            else:
                self._idle()
            if prefixes := self._publisher.joined():
                self._on_join(prefixes)
            if self._stopping.is_set() and self._clock() >= self._deadline:
                return

    def _idle(self) -> None:
        self._publisher.wait(self._wake, IDLE_SECONDS)
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:  # nobody woke it: the transport is well
            self._backoff.reset()

    def _opened(self) -> None:
        with self._changed:
            self._connected = True
            self._progress_at = self._clock()
        self._tried.set()  # who started it finds it connected
        events.info("publisher_open", transport=self.name, errors=self._errors)

    def _sent(self) -> None:
        with self._changed:
            frames, size = self._queue.settle()
            self._published_frames += frames
            self._published_bytes += size
            self._progress_at = self._clock()
            self._changed.notify_all()
        self._backoff.reset()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, ClientError):
            reason = error
            if self._connected or not self._tried.is_set():  # once, not with each attempt
                events.warning("publisher_failed", transport=self.name, error=str(error))
        else:
            reason = ClientError(500, sanitize_error_message(error, self.name))
            events.exception("publisher_bug", error, transport=self.name)
        with self._changed:
            self._queue.give_back()
            self._connected = False
            self._errors += 1
            self._last_error = reason
            self._changed.notify_all()
        self._tried.set()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._connected = False
            os.close(self._wake)
            self._changed.notify_all()
