"""`Subscription`: live frames and replay put together, each line once, every loss named."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from broker.errors import ClientError
from broker.frame import Frame
from broker.topic import Stream, parse_topic
from subscribers.inbox import Inbox
from subscribers.merge import Merge
from subscribers.repair import Repairer
from subscribers.replay import JournalClient
from subscribers.selection import Selection
from subscribers.sequencer import Start
from subscribers.stats import Budget, Stats
from subscribers.transport import LiveThread, Transport

if TYPE_CHECKING:
    from types import TracebackType

    from subscribers.async_subscription import AsyncFrames

BUFFER_BYTES: Final = 64 << 20
_CLOSE_S: Final = 1.0


class Subscription:
    """Iterate the frames of one or many jobs: `log`, `gap`, `status`, `end`, `error`, `reset`.

    `jobs`: globs of `[cluster/]job`, one or several. Exactly one transport: `zeromq`, one or
    several endpoints (several brokers of one cluster are a hot standby), or `redis`, a URL.
    `brokers`: HTTP base addresses of the journals; where none are given, those that the brokers'
    heartbeats tell. `start`: "live" (from the first position that is told), "begin", a line
    number, or a negative number of lines before that position; with "live" and a negative one, a
    job that comes up later is begun at its first line. `positions` goes before `start`:
    for `cluster/job`, the epoch and the line to go on from, as an earlier subscription reached
    them (`frame.next`, or one less after a `partial` line: it may be amended); an `end` at that
    very line comes again. `token` is sent to `brokers` only.
    `timeout`: seconds without a frame after which the iteration raises 408 (and may go on).

    Lines come once and in order within an epoch; those that cannot be had come as `gap` frames,
    after every journal was asked (`repair_timeout`: for how many seconds one that is away is
    waited for). Reason `unreachable` is this side's word: no journal could be asked. A last line
    that grew comes again, with `amends`; where others follow a `partial` one at once, no journal
    had its end. Order between epochs is not promised.

    Memory is bounded by about `buffer_bytes`; a reader that falls behind drops live frames and
    gets them from the journal. One thread iterates; `close` may come from any. Raises
    `ClientError`: 400 a bad argument, 408 `timeout`, 500 a bug.
    """

    def __init__(
        self,
        jobs: str | Sequence[str],
        *,
        zeromq: str | Sequence[str] = (),
        redis: str | None = None,
        brokers: str | Sequence[str] = (),
        start: Start = "live",
        positions: Mapping[str, tuple[str, int]] | None = None,
        token: str | None = None,
        timeout: float | None = None,
        heartbeat_interval: float = 15.0,
        repair_timeout: float = 60.0,
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        if isinstance(start, bool) or not (start in ("live", "begin") or isinstance(start, int)):
            raise ClientError(400, f'start={start!r}: "live", "begin" or a line number')
        wanted = Selection(jobs)
        reached = {_stream(name, wanted): at for name, at in (positions or {}).items()}
        bases = [JournalClient(base).base for base in _several(brokers)]
        transport = _transport(_several(zeromq), redis)
        self.stats = Stats()
        self._timeout = timeout
        self._ready: deque[Frame] = deque()
        self._async_frames: AsyncFrames | None = None
        self._inbox = Inbox(buffer_bytes // 4, buffer_bytes // 4)
        self._live = LiveThread(transport, self._inbox, wanted)
        self._repairer = Repairer(self._inbox, token if bases else None, repair_timeout)
        self._repairer.add_brokers(bases)
        self._merge = Merge(
            wanted,
            start,
            Budget(buffer_bytes // 2),
            self.stats,
            self._repairer,
            heartbeat_interval,
            reached,
            learn_brokers=not bases,
        )

    @property
    def connected(self) -> bool:
        """Whether the transport is connected to at least one broker, or to Redis."""
        return self._merge.connected

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._inbox.closed

    @property
    def problem(self) -> str:
        """Why it is not connected, or what keeps the journals from answering; empty if nothing."""
        return self._merge.lost or self._merge.unanswered

    def receive(self, timeout: float | None = None) -> Frame | None:
        """The next frame; None after `timeout` seconds without one, or when closed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ready and not self._inbox.closed:
            now = time.monotonic()
            if dropped := self._inbox.take_dropped():
                self.stats.dropped += dropped
                self._live.nudge()
                self._merge.survey_soon(now)
            wait = self._merge.tick(now)
            if deadline is not None:
                wait = max(0.0, min(wait, deadline - now))
            event = self._inbox.get(wait)
            if event is not None:
                self._ready.extend(self._merge.handle(event, time.monotonic()))
            if not self._ready and deadline is not None and time.monotonic() >= deadline:
                return None
        if self._inbox.closed:
            return None
        self.stats.delivered += 1
        return self._ready.popleft()

    def close(self) -> None:
        """End the iteration at once, and let go of every socket and thread. Any thread,
        idempotent."""
        self._inbox.close()
        self._live.stop()
        self._repairer.stop()
        self._live.join(_CLOSE_S)
        self._repairer.join(_CLOSE_S)

    def __iter__(self) -> Subscription:
        return self

    def __next__(self) -> Frame:
        if (frame := self.receive(self._timeout)) is not None:
            return frame
        if self._inbox.closed:
            raise StopIteration
        raise ClientError(408, f"no frame for {self._timeout} s: {self.problem or 'all is silent'}")

    def __aiter__(self) -> AsyncFrames:
        from subscribers.async_subscription import AsyncFrames

        if self._async_frames is None:  # the same again: it may hold frames that were read ahead
            self._async_frames = AsyncFrames(self)
        return self._async_frames

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _stream(name: str, wanted: Selection) -> Stream:
    stream = parse_topic(f"{name}/".encode())
    if stream is None or stream not in wanted:
        raise ClientError(400, f"positions: {name!r} is no CLUSTER/JOB that was subscribed to")
    return stream


def _transport(zeromq: tuple[str, ...], redis: str | None) -> Transport:
    if bool(zeromq) == bool(redis):
        raise ClientError(400, "give either zeromq=ENDPOINT(S) or redis=URL")
    if redis:
        from subscribers.redis_pubsub import RedisTransport

        return RedisTransport(redis)
    from subscribers.zeromq import ZeroMQTransport

    return ZeroMQTransport(zeromq)
