"""From a source's bytes to records on the bus: position, limits, backfill and resets."""

from __future__ import annotations

from collections import deque
from contextlib import closing

from broker.checkpoint import Checkpoint
from broker.ingest.context import Context
from broker.ingest.cursor import Cursor, Piece, Skim
from broker.ingest.framer import Framer
from broker.ingest.valve import Valve, Verdict
from broker.sources.source import Source


class LimitReached(Exception):
    """`on_limit = "stop"`: the stream is over its budget."""


class Reader:
    """One job's way from bytes to frames. Used by one thread at a time."""

    def __init__(self, context: Context, framer: Framer) -> None:
        self._context = context
        self._framer = framer
        self._max_line = context.limits.max_message_size
        self._valve = Valve(context.limits)
        self._backlog: deque[Piece] = deque()  # at most one read's, while a limit holds it back
        self._skim: Skim | None = None
        self._cursor = Cursor(framer.position, self._max_line)
        fresh = not framer.position.line and not framer.position.epoch
        self._backfill = context.config.backfill_bytes if fresh else None
        framer.skip_to = framer.position.skip_to
        self._said = (-1, -1)  # line and length of the partial line published last
        self.source = framer.position.source
        self._truncated = self._redacted = self._fallbacks = 0  # told to the metrics so far
        self._secrets: dict[str, int] = {}

    @property
    def offset(self) -> int:
        """Raw bytes taken so far; 0 while a websocket reads."""
        return self._cursor.offset or 0

    def held(self, now: float) -> float | None:
        """Seconds until the limits let the next piece through; None: nothing is held back."""
        return self._valve.wait(self._backlog[0], now) if self._backlog else None

    def pull(self, source: Source) -> int:
        """Take all that the source has now, or as much as the limits let through; bytes taken.

        Raises what `Source.read` does, `Mismatch`, and `Stopping`.
        """
        self.source = source.name
        if self._cursor.offset is None:
            self._start_skim(in_bytes=True)
        if self._backfill is not None:
            self._set_backfill(source, self._backfill)
        taken = 0
        with closing(source.read(self.offset, self._cursor.tail)) as reading:
            for data in reading:
                taken += len(data)
                if not self.push(data) or self._context.stopping.is_set():
                    return taken
        if self._skim is not None and source.size is not None and self.offset >= source.size:
            self._skim.end()
            self._skim = None
        return taken

    def begin_tail(self, name: str) -> None:
        """A tail gives the log from its first byte, as text: find the position in it."""
        self.source = name
        self._backfill = None  # it is counted in bytes, which a tail does not tell
        self._start_skim(in_bytes=False)

    def push(self, data: bytes) -> bool:
        """Take bytes that follow the last ones; False where a limit holds some of it back."""
        self._framer.totals.bytes += len(data)
        self._context.metrics.bytes.labels(self._context.cluster).inc(len(data))
        if self._skim is not None:
            self._backlog.extend(self._skim.feed(data))
            self._cursor = self._skim.cursor
            if self._skim.done:
                self._skim = None
        else:
            # A line that was published without its end is published again, by itself.
            alone = int(self._framer.position.partial)
            self._backlog.extend(self._cursor.feed(data, alone))
        return self.drain()

    def drain(self) -> bool:
        """Publish what the limits let through now; False where something stays behind."""
        while self._backlog:
            piece = self._backlog[0]
            now_ns = self._context.clock_ns()
            if piece.chunk.offset is not None and piece.chunk.offset <= self._framer.skip_to:
                records = self._framer.gap(piece, "backfill", self.source, now_ns)
                self._count_gap(piece, "backfill")
            else:
                verdict = self._valve.judge(piece, self._context.clock())
                if verdict is Verdict.HOLD:
                    return False
                if verdict is Verdict.STOP:
                    raise LimitReached
                if verdict is Verdict.DROP:
                    records = self._framer.gap(piece, "limit", self.source, now_ns)
                    self._count_gap(piece, "limit")
                else:
                    records = self._framer.log(piece, self.source, now_ns)
                    self._count_log(piece)
            self._backlog.popleft()
            self._context.put(records)
        return True

    def finish(self) -> None:
        """The log has ended: its last line is published as it is."""
        if self._skim is not None:
            return  # the position was not found again, so there is nothing beyond it
        self._backlog.extend(self._cursor.end())
        for piece in self._backlog:
            now_ns = self._context.clock_ns()
            self._context.put(self._framer.log(piece, self.source, now_ns))
        self._backlog.clear()
        chunk = self._cursor.partial()
        if chunk is not None and self._said != (chunk.first, self._cursor.pending):
            self._said = (chunk.first, self._cursor.pending)
            self._context.put(self._framer.partial(chunk, self._context.clock_ns()))

    def replaced(self, reason: str) -> None:
        """The file is another one: from its first byte on, under a new epoch."""
        self._framer.reset(reason)
        self._backlog.clear()
        self._skim = None
        self._backfill = None
        self._cursor = Cursor(Checkpoint(), self._max_line)

    def _start_skim(self, in_bytes: bool) -> None:
        at = self._framer.position
        self._backlog.clear()  # not published yet, so it will be read again
        self._skim = Skim(at.line, at.crc, self._max_line, in_bytes)
        self._cursor = self._skim.cursor
        if self._skim.done:
            self._skim = None

    def _set_backfill(self, source: Source, size: int) -> None:
        """Learn how long the log is, and from where on it is published."""
        if source.size is None:
            with closing(source.read(0, b"")) as reading:
                for _ in reading:
                    if source.size is not None:
                        break
        self._framer.skip_to = max(0, (source.size or 0) - size)
        self._backfill = None

    def _count_log(self, piece: Piece) -> None:
        cluster, metrics, totals = self._context.cluster, self._context.metrics, self._framer.totals
        metrics.lines.labels(cluster).inc(piece.chunk.lines)
        if totals.truncated > self._truncated:
            metrics.truncated_lines.labels(cluster).inc(totals.truncated - self._truncated)
            self._truncated = totals.truncated
        if totals.redacted > self._redacted:
            self._redacted = totals.redacted
            for rule, count in totals.secrets.items():
                new = count - self._secrets.get(rule, 0)
                metrics.redacted.labels(cluster, rule).inc(new)
            self._secrets = dict(totals.secrets)
        if self._framer.pipeline.fallbacks > self._fallbacks:
            metrics.pipeline_fallbacks.inc(self._framer.pipeline.fallbacks - self._fallbacks)
            self._fallbacks = self._framer.pipeline.fallbacks

    def _count_gap(self, piece: Piece, reason: str) -> None:
        cluster = self._context.cluster
        self._context.metrics.gap_lines.labels(cluster, reason).inc(piece.chunk.lines)
