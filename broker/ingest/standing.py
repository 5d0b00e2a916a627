"""How one job's reading stands: its state and its counts, for `jobs`, heartbeats and metrics."""

from __future__ import annotations

from collections import deque

from broker.errors import ClientError
from broker.ingest.choice import Choice
from broker.ingest.context import Context
from broker.ingest.framer import Framer
from broker.ingest.rate import Rate
from broker.jobview import ErrorView, JobView, State
from broker.topic import Stream


class Standing:
    """Written by the worker's thread, read by any."""

    def __init__(self, context: Context, stream: Stream) -> None:
        self.state: State = "connecting"
        self.interval = context.config.poll_interval  # seconds between polls, in use now
        self.complete: bool | None = None
        self.reason = ""  # why it was stopped for good
        self.reconnects = 0
        self._context = context
        self._stream = stream
        self._errors: deque[ErrorView] = deque(maxlen=context.limits.exception_queue_size)
        self._rate = Rate()

    def sample(self, now: float, lines: int) -> None:
        """Take a sample of the total of lines."""
        self._rate.sample(now, lines)

    def note(self, error: ClientError) -> None:
        """Keep and count an error."""
        self._errors.append(ErrorView(self._context.clock_ns(), error.status, error.message))
        self._context.metrics.errors.labels(self._context.cluster, str(error.status)).inc()

    def requested(self, source: str, outcome: str) -> None:
        """Count a request to a source."""
        self._context.metrics.source_requests.labels(self._context.cluster, source, outcome).inc()

    def reconnected(self, source: str) -> None:
        """Count a connection lost."""
        self.reconnects += 1
        self._context.metrics.reconnects.labels(self._context.cluster, source or "none").inc()

    def view(
        self, now: float, state: State, status: str, run: int, source: str, framer: Framer,
        choice: Choice,
    ) -> JobView:  # fmt: skip
        """The job's row."""
        at, totals = framer.position, framer.totals
        errors = list(self._errors)
        return JobView(
            cluster=self._stream.cluster,
            job=self._stream.job,
            state=state,
            status=status,
            run=run,
            source=source,
            epoch=at.epoch,
            next=framer.next,
            offset=at.offset,
            size=choice.size,
            lines=totals.lines,
            bytes=totals.bytes,
            frames=totals.frames,
            lines_per_s=self._rate.per_second(now, totals.lines),
            poll_interval_s=round(self.interval, 3),
            reconnects=self.reconnects,
            dropped=totals.dropped,
            redacted=totals.redacted,
            truncated=totals.truncated,
            resets=totals.resets,
            last_frame_ts=totals.last_frame_ts,
            complete=self.complete,
            reason=self.reason,
            last_error=errors[-1].message if errors else "",
            errors=errors,
        )
