"""Heartbeats: where each stream stands, on a silent stream and at once where someone joins.

Its position is that of the last frame handed out, so a heartbeat never runs ahead of the lines.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from broker.frame import Frame, encode
from broker.journal import Record
from broker.topic import Stream, subscribed

AFTER_END: Final = 600.0  # seconds an ended stream goes on to be told of
JOIN_INTERVAL: Final = 1.0  # at most one heartbeat a second for joins, for each stream


class Position(NamedTuple):
    """Where a stream stands on the bus: what was handed out, not what was read."""

    epoch: str
    next: int
    ended: bool


class Beat(NamedTuple):
    """What the worker says of itself."""

    state: str
    status: str
    run: int


@dataclass(slots=True)
class _Stream:
    epoch: str = ""
    next: int = 0
    last: float = 0.0  # when anything was last sent
    joined: float = float("-inf")  # when a join was last answered
    ended: float | None = None


class Pulse:
    """Times in seconds of the clock that its callers pass. `join` may be called from any thread."""

    def __init__(
        self,
        broker: str,
        interval: float,
        describe: Callable[[Stream], Beat | None],
        http: str = "",
    ) -> None:
        self.http = http
        self._broker = broker
        self._interval = interval
        self._describe = describe
        self._lock = threading.Lock()
        self._streams: dict[Stream, _Stream] = {}
        self._joins: set[bytes] = set()

    def join(self, prefixes: Sequence[bytes]) -> None:
        """Someone subscribed to these topic prefixes."""
        with self._lock:
            self._joins.update(prefixes)

    def follow(self, stream: Stream, epoch: str, line: int, now: float) -> None:
        """Begin to tell of a stream that stands at `line`, unless it is known already."""
        with self._lock:
            self._streams.setdefault(stream, _Stream(epoch, line, now))

    def forget(self, stream: Stream) -> None:
        """Tell of it no more."""
        with self._lock:
            self._streams.pop(stream, None)

    def position(self, stream: Stream) -> Position | None:
        """What was handed out of a stream; None where it is not told of."""
        with self._lock:
            known = self._streams.get(stream)
            if known is None:
                return None
            return Position(known.epoch, known.next, known.ended is not None)

    def published(self, records: Sequence[Record], now: float) -> None:
        """These were handed out."""
        with self._lock:
            for record in records:
                known = self._streams.setdefault(record.stream, _Stream())
                known.epoch = record.epoch
                known.next = record.next
                known.last = now
                known.ended = now if record.kind == "end" else None

    def due(self, now: float, now_ns: int) -> list[tuple[Stream, bytes]]:
        """The heartbeats to send now, encoded."""
        with self._lock:
            joins, self._joins = self._joins, set()
            over = [s for s, k in self._streams.items() if k.ended and now - k.ended > AFTER_END]
            for stream in over:
                del self._streams[stream]
            due = []
            for stream, known in self._streams.items():
                asked = any(subscribed(prefix, stream) for prefix in joins)
                if asked and now - known.joined < JOIN_INTERVAL:
                    self._joins |= {prefix for prefix in joins if subscribed(prefix, stream)}
                    asked = False
                if asked or now - known.last >= self._interval:
                    known.last = now
                    if asked:
                        known.joined = now
                    at = Position(known.epoch, known.next, known.ended is not None)
                    due.append((stream, at))
        return [(stream, self._encode(stream, at, now_ns)) for stream, at in due]

    def _encode(self, stream: Stream, at: Position, now_ns: int) -> bytes:
        beat = self._describe(stream) or Beat("waiting", "", 0)
        # A worker is ahead of the bus: it may have ended what is still on its way out.
        state = "streaming" if beat.state == "ended" and not at.ended else beat.state
        return encode(
            Frame(
                kind="heartbeat",
                cluster=stream.cluster,
                job=stream.job,
                first=at.next,
                next=at.next,
                ts=now_ns,
                epoch=at.epoch,
                broker=self._broker,
                status=beat.status,
                run=beat.run,
                state=state,
                http=self.http,
            )
        )
