"""The bus: journal first, then every outbox. One thread; the order of `put` is kept.

ingest workers ──put──▶ [bounded queue] ──▶ journal (group commit) ──▶ outbox ──▶ publisher
                                                                 └──▶ outbox ──▶ publisher
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from broker.bus.journal_writer import JournalWriter
from broker.bus.outbox import FRAME_BYTES, Outbox, Outgoing
from broker.bus.pulse import Pulse
from broker.errors import Stopping
from broker.events import get_logger
from broker.journal import Record
from broker.metrics import Metrics
from broker.publisher import Message

GROUP_SECONDS: Final = 0.02  # records wait this long for others of the same commit
IDLE_SECONDS: Final = 0.25  # so often heartbeats are looked at where nothing else happens
STUCK_SECONDS: Final = 2.0
GROUP_BYTES: Final = 8 << 20
QUEUE_BYTES: Final = 32 << 20  # beyond it, readers wait: Ray keeps the file
WATERMARK_LAG: Final = 2.0  # seconds a frame must be out before a restart may leave it out

events = get_logger("bus")


class Bus:
    """Takes records from any thread; commits and hands them out on its own."""

    def __init__(
        self,
        writer: JournalWriter | None,
        outboxes: Sequence[Outbox],
        pulse: Pulse,
        metrics: Metrics,
        queue_size: int,
        clock: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._writer = writer
        self._outboxes = outboxes
        self._pulse = pulse
        self._metrics = metrics
        self._portion = max(1, queue_size // 4)  # frames put at once: an outbox takes the rest on
        self._clock = clock
        self._clock_ns = clock_ns
        self._queue: deque[Record] = deque()
        self._queued_bytes = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._woken = False
        self._watermarks: deque[tuple[float, int]] = deque()
        self._sequence = writer.last_sequence() if writer else 0
        self._thread = threading.Thread(target=self._run, name="raytap-bus", daemon=True)

    def start(self) -> None:
        """Begin to commit and hand out."""
        self._thread.start()

    def put(self, records: Sequence[Record]) -> None:
        """Queue records in order; waits while the queue is full. Raises `Stopping`."""
        size = sum(len(record.payload) for record in records)
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._queued_bytes < QUEUE_BYTES)
            if self._stopping:
                raise Stopping
            idle = not self._queue
            self._queue.extend(records)
            self._queued_bytes += size
            if idle or self._queued_bytes >= GROUP_BYTES:  # else nobody waits for this
                self._changed.notify_all()

    def wake(self) -> None:
        """Someone joined: tell them where the streams stand now, not at the next idle look."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def stop(self, timeout: float) -> None:
        """Take no more, commit and hand out what was taken. Idempotent."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def finish(self) -> None:
        """After the outboxes are flushed: the watermark stands at what they handed out."""
        if self._writer:
            self._writer.published(self._handed_out())

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait for their commit."""
        return self._queued_bytes

    def republish(self, outgoing: Iterable[Outgoing]) -> int:
        """Hand out again what a crash may have kept from the wire, as fast as it leaves; how many
        frames. Before `start` only. A transport that is stuck is waited for once."""
        waited_for = list(self._outboxes)
        count = 0
        for portion in _portions(outgoing, self._portion):
            count += len(portion)
            for outbox in self._outboxes:
                outbox.put(portion)
            waited_for = [
                outbox for outbox in waited_for if outbox.connected and outbox.flush(STUCK_SECONDS)
            ]
        return count

    def _run(self) -> None:
        while True:
            group = self._take()
            try:
                if group:
                    self._hand_out(group)
                self._beat()
                self._advance_watermark(self._clock())
            except Exception as error:  # without this thread every reader would wait for ever
                events.exception("bus_failed", error, frames=len(group))
            with self._changed:
                if self._stopping and not self._queue:
                    return

    def _take(self) -> list[Record]:
        with self._changed:
            if not self._queue:
                self._changed.wait_for(
                    lambda: self._stopping or self._queue or self._woken, IDLE_SECONDS
                )
            self._woken = False
            if self._queue and not self._stopping and self._queued_bytes < GROUP_BYTES:
                self._changed.wait_for(
                    lambda: self._stopping or self._queued_bytes >= GROUP_BYTES, GROUP_SECONDS
                )
            group: list[Record] = []
            size = 0
            while self._queue and size < GROUP_BYTES:
                record = self._queue.popleft()
                size += len(record.payload)
                group.append(record)
            self._queued_bytes -= size
            self._changed.notify_all()
            return group

    def _hand_out(self, group: list[Record]) -> None:
        first = self._sequence + 1
        if self._writer is not None and self._writer.append(group):
            self._sequence = self._writer.last_sequence()
            first = self._sequence - len(group) + 1
        for record in group:
            self._metrics.frames.labels(record.stream.cluster, record.kind).inc()
        now = self._clock()
        self._pulse.published(group, now)
        outgoing = (
            Outgoing(
                min(first + index, self._sequence),
                record.stream,
                Message(record.stream.topic, record.payload),
            )
            for index, record in enumerate(group)
        )
        for portion in _portions(outgoing, self._portion):
            for outbox in self._outboxes:
                outbox.wait_for_room()
                outbox.put(portion)

    def _beat(self) -> None:
        beats = self._pulse.due(self._clock(), self._clock_ns())
        if not beats:
            return
        outgoing = [
            Outgoing(self._sequence, stream, Message(stream.topic, payload))
            for stream, payload in beats
        ]
        for outbox in self._outboxes:
            outbox.put(outgoing)

    def _advance_watermark(self, now: float) -> None:
        if self._writer is None:
            return
        handed_out = self._handed_out()
        if not self._watermarks or now - self._watermarks[-1][0] >= 0.25:
            self._watermarks.append((now, handed_out))
        while self._watermarks and now - self._watermarks[0][0] >= WATERMARK_LAG:
            self._writer.published(self._watermarks.popleft()[1])

    def _handed_out(self) -> int:
        return min((outbox.published for outbox in self._outboxes), default=self._sequence)


def _portions(frames: Iterable[Outgoing], most: int) -> Iterator[list[Outgoing]]:
    """In order, so many frames at a time and as many bytes as an outbox reckons for them; one
    frame at least."""
    portion: list[Outgoing] = []
    size = 0
    for frame in frames:
        size += len(frame.message.payload)
        if portion and (len(portion) >= most or size > most * FRAME_BYTES):
            yield portion
            portion, size = [], len(frame.message.payload)
        portion.append(frame)
    if portion:
        yield portion
