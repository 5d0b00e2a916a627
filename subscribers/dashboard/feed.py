"""The one thread that follows all logs: it recognises, counts, and hands on what is watched."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from broker.errors import ClientError
from broker.events import get_logger
from broker.frame import Frame
from broker.topic import Stream
from subscribers.dashboard.hub import Hub
from subscribers.dashboard.live_frame import LiveFrame
from subscribers.dashboard.page_frame import marked
from subscribers.dashboard.statistics import Statistics
from subscribers.recognition.recogniser import Recogniser

events: Final = get_logger("dashboard")

_WAIT_S: Final = 0.1  # how late a lost link is told
_BATCH: Final = 256  # frames
_BATCH_BYTES: Final = 1 << 20
_MOST_STREAMS: Final = 5_000
_MOST_EPOCHS: Final = 16
_AGAIN_S: Final = 1.0


class Frames(Protocol):
    """A subscription, as far as the feed uses it."""

    @property
    def connected(self) -> bool: ...
    @property
    def problem(self) -> str: ...
    def receive(self, timeout: float | None = None) -> Frame | None: ...
    def close(self) -> None: ...


class _Known:
    """One log: what was recognised so far, and the line that comes next in each epoch."""

    __slots__ = ("positions", "recogniser")

    def __init__(self) -> None:
        self.recogniser = Recogniser()
        self.positions: dict[str, tuple[int, bool]] = {}


class Feed:
    """Reads what `subscribe` gives until it is stopped; where that breaks, it subscribes anew, and
    the clients' own positions show what they missed."""

    def __init__(self, subscribe: Callable[[], Frames], hub: Hub, statistics: Statistics) -> None:
        self.missing_since = 0.0  # monotonic; when lines last could not be had
        self.missing = 0  # lines
        self._subscribe = subscribe
        self._hub = hub
        self._statistics = statistics
        self._known: OrderedDict[Stream, _Known] = OrderedDict()
        self._lock = threading.Lock()
        self._batch: list[LiveFrame] = []
        self._size = 0
        self._told: tuple[bool, str] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raytap-feed", daemon=True)

    def start(self) -> None:
        """Begin. Once."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """End, and wait for that for `timeout` seconds at most. Idempotent."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def positions(self, stream: Stream) -> dict[str, tuple[int, bool]]:
        """By epoch, the oldest first: the line that comes next, and whether the one before it had
        no end. Any thread."""
        with self._lock:
            known = self._known.get(stream)
            return {} if known is None else dict(known.positions)

    def streams(self) -> list[Stream]:
        """The logs that it knows, those that were silent for longest first. Any thread."""
        with self._lock:
            return list(self._known)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                subscription = self._subscribe()
            except ClientError as error:
                self._tell(False, error.message)
                self._stopping.wait(_AGAIN_S)
                continue
            try:
                self._follow(subscription)
            except Exception as error:  # what is ours to mend must not end the process's one feed
                events.exception("feed_failed", error)
                self._tell(False, "the feed failed; it is begun again")
                self._stopping.wait(_AGAIN_S)
            finally:
                subscription.close()

    def _follow(self, subscription: Frames) -> None:
        while not self._stopping.is_set():
            frame = subscription.receive(0 if self._batch else _WAIT_S)
            if frame is not None:
                self._take(frame)
            if self._batch and (
                frame is None or self._size >= _BATCH_BYTES or len(self._batch) >= _BATCH
            ):
                self._hub.deliver(self._batch, self._size)
                self._batch, self._size = [], 0
            if frame is None or self._told is None:
                self._tell(subscription.connected, subscription.problem)

    def _take(self, frame: Frame) -> None:
        stream = Stream(frame.cluster, frame.job)
        known = self._known_of(stream)
        marks, errors, size = None, 0, 0
        if frame.kind == "log":
            marks = known.recogniser.mark(frame)
            errors = marks.errors
            size = sum(map(len, frame.lines)) + len(frame.lines)
        elif frame.kind == "gap" and frame.reason == "unreachable":
            self.missing_since = time.monotonic()
            self.missing += frame.next - frame.first
        self._statistics.saw(frame, size, errors, time.monotonic(), time.time_ns())
        if self._hub.wants(stream):
            live = LiveFrame.of(frame, marked(frame, marks))
            self._batch.append(live)
            self._size += live.size
        if frame.epoch:
            self._moved(known, frame)

    def _known_of(self, stream: Stream) -> _Known:
        with self._lock:
            known = self._known.get(stream)
            if known is None:
                known = self._known[stream] = _Known()
                if len(self._known) > _MOST_STREAMS:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(stream)
            return known

    def _moved(self, known: _Known, frame: Frame) -> None:
        with self._lock:
            line, is_open = known.positions.get(frame.epoch, (0, False))
            if frame.next >= line:
                if frame.next > line or frame.kind == "log":
                    is_open = frame.partial
                known.positions[frame.epoch] = frame.next, is_open
                if len(known.positions) > _MOST_EPOCHS:
                    del known.positions[next(iter(known.positions))]

    def _tell(self, connected: bool, problem: str) -> None:
        problem = "" if connected else problem or "connecting"
        if self._told != (connected, problem):
            self._told = connected, problem
            self._hub.changed(connected, problem)
