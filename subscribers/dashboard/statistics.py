"""Live statistics of every job and cluster, from the frames of the feed and the brokers' lists."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.dashboard.figures import Figures, Series
from subscribers.dashboard.meter import NO_LAGS, NO_RATES, SERIES, STEP_S, STEPS, Meter

MAX_JOBS: Final = 2_000
"""Jobs that are kept; beyond them the one that was silent for longest goes."""

MAX_CLUSTERS: Final = 100

_FORGET_S: Final = 900.0  # an unlisted job that is silent
_LIVES_S: Final = 30.0  # a job is alive for so long after a frame
_TOLD_S: Final = 10.0  # a list of the brokers is believed
_LIVE_STATES: Final = frozenset({"connecting", "streaming", "waiting", "reconnecting"})
_REASONS: Final = frozenset({"limit", "source", "evicted", "backfill", "unreachable"})
_STATUSES: Final = frozenset({"400", "401", "403", "404", "408", "409", "429", "500", "503"})


class _Counted:
    """What is counted for one job, or for a cluster as the sum of its jobs."""

    def __init__(self) -> None:
        self.meter: Meter | None = None  # since the first frame
        self.status = ""
        self.seen_at = -1e9  # the last frame
        self.errors_seen = 0
        self.gap_lines: Counter[str] = Counter()
        self.source_lag = 0
        self.reconnects = 0
        self.errors: Counter[str] = Counter()

    def flow(self, now: float) -> Meter:
        if self.meter is None:
            self.meter = Meter(now)
        return self.meter


class _Cluster(_Counted):
    def __init__(self) -> None:
        super().__init__()
        self.told_at = -1e9


class _Job(_Counted):
    def __init__(self) -> None:
        super().__init__()
        self.told: int | None = None  # reconnects, by the brokers
        self.rows = 0  # brokers that told it
        self.known_errors: frozenset[tuple[int, int]] = frozenset()  # (ts, code) in their lists
        self.lives = False  # by the brokers


class Statistics:
    """`saw` belongs to the feed's thread; the others may be called on any. `now` is in seconds of
    a monotonic clock. Bounded: `MAX_JOBS` jobs of about 15 KiB."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[Stream, _Job] = {}  # the one whose frame came last is last
        self._clusters: dict[str, _Cluster] = {}

    def saw(self, frame: Frame, size: int, errors: int, now: float, now_ns: int) -> None:
        """A frame of the feed, of any kind: its `size` in bytes, how many of its lines are of
        level ERROR or above, and the time in ns since 1970, which its lag is told by."""
        stream = Stream(frame.cluster, frame.job)
        lines = len(frame.lines)
        lag_ms = max(0, now_ns - frame.ts) / 1e6 if lines and frame.ts else None
        with self._lock:
            job = self._jobs.pop(stream, None) or self._new_job()
            self._jobs[stream] = job
            if frame.status:
                job.status = frame.status
            for counted in (job, self._cluster(frame.cluster)):
                counted.seen_at = now
                counted.flow(now).saw(now, lines, size, lag_ms)
                counted.errors_seen += errors
                if frame.kind == "gap":
                    reason = frame.reason if frame.reason in _REASONS else "other"
                    counted.gap_lines[reason] += frame.next - frame.first

    def told(self, views: Sequence[JobView], now: float) -> None:
        """What the brokers list, all of them together, once a second. Two that follow one job are
        one job: their reconnects add up, and the lag is that of the one that is ahead."""
        by_stream: defaultdict[Stream, list[JobView]] = defaultdict(list)
        for view in views:
            by_stream[Stream(view.cluster, view.job)].append(view)
        lags: Counter[str] = Counter()
        for stream, rows in by_stream.items():
            with self._lock:
                job = self._jobs.get(stream)
                if job is None and len(self._jobs) < MAX_JOBS:
                    job = self._jobs[stream] = _Job()
                if job is not None:
                    self._take(stream, job, rows, now)
                    lags[stream.cluster] += job.source_lag
        with self._lock:
            for name in {stream.cluster for stream in by_stream}:
                cluster = self._cluster(name)
                cluster.told_at, cluster.source_lag = now, lags[name]
            for stream, job in list(self._jobs.items()):
                if stream not in by_stream:
                    job.lives, job.source_lag = False, 0
                    if now - job.seen_at > _FORGET_S:
                        del self._jobs[stream]

    def of(self, cluster: str, job: str | None, now: float) -> Figures:
        """A job's figures, or a whole cluster's; those of one that is unknown are all 0."""
        with self._lock:
            counted = self._find(cluster, job)
            if counted is None:
                return Figures()
            status = counted.status if job is not None else self._state(cluster, now)
            meter = counted.meter
            rates = NO_RATES if meter is None else meter.rates(now)
            lags = NO_LAGS if meter is None else meter.lags(now)
            return Figures(
                lines_per_s=rates.lines_per_s,
                bytes_per_s=rates.bytes_per_s,
                frames_per_s=rates.frames_per_s,
                lag_p50_ms=lags.p50,
                lag_p95_ms=lags.p95,
                lag_p99_ms=lags.p99,
                source_lag_bytes=counted.source_lag,
                reconnects=counted.reconnects,
                errors=dict(counted.errors),
                lines=0 if meter is None else meter.lines,
                bytes=0 if meter is None else meter.bytes,
                frames=0 if meter is None else meter.frames,
                errors_seen=counted.errors_seen,
                gap_lines=dict(counted.gap_lines),
                status=status,
                spark=[] if meter is None else meter.spark(now),
            )

    def series(self, cluster: str, job: str | None, minutes: float, now: float) -> Series:
        """The last `minutes` (16 at most) of a job, or of a cluster where none is given."""
        steps = max(1, min(STEPS, round(minutes * 60 / STEP_S)))
        with self._lock:
            counted = self._find(cluster, job)
            meter = None if counted is None else counted.meter
            if meter is not None:
                return Series(STEP_S, now % STEP_S, meter.series(now, steps))
        return Series(STEP_S, now % STEP_S, {name: [None] * steps for name in SERIES})

    def clusters(self) -> list[str]:
        """Those that a frame or a broker named."""
        with self._lock:
            return list(self._clusters)

    def living(self, now: float) -> list[Stream]:
        """The jobs that a broker follows, or that printed within the last 30 seconds."""
        with self._lock:
            return [
                stream
                for stream, job in self._jobs.items()
                if job.lives or now - job.seen_at < _LIVES_S
            ]

    def _find(self, cluster: str, job: str | None) -> _Counted | None:
        if job is None:
            return self._clusters.get(cluster)
        return self._jobs.get(Stream(cluster, job))

    def _new_job(self) -> _Job:
        if len(self._jobs) >= MAX_JOBS:
            del self._jobs[next(iter(self._jobs))]
        return _Job()

    def _cluster(self, name: str) -> _Cluster:
        found = self._clusters.get(name)
        if found is None:
            name = name if len(self._clusters) < MAX_CLUSTERS else ""  # the rest together
            found = self._clusters.setdefault(name, _Cluster())
        return found

    def _state(self, cluster: str, now: float) -> str:
        if now - self._clusters[cluster].told_at > _TOLD_S:
            return "UNKNOWN"
        lives = any(job.lives for stream, job in self._jobs.items() if stream.cluster == cluster)
        return "RUNNING" if lives else "IDLE"

    def _take(self, stream: Stream, job: _Job, rows: Sequence[JobView], now: float) -> None:
        cluster = self._cluster(stream.cluster)
        job.status = next((row.status for row in rows if row.status), job.status)
        job.lives = any(row.state in _LIVE_STATES for row in rows)
        behind = [
            max(0, row.size - row.offset)
            for row in rows
            if row.size is not None and row.offset is not None
        ]
        job.source_lag = min(behind, default=0)
        reconnects = sum(row.reconnects for row in rows)
        if job.told is None:  # what was before is no event of now
            job.reconnects += reconnects
            cluster.reconnects += reconnects
        elif len(rows) == job.rows and reconnects > job.told:
            for counted in (job, cluster):
                counted.reconnects += reconnects - job.told
                counted.flow(now).reconnected(now, reconnects - job.told)
        job.told, job.rows = reconnects, len(rows)
        known = frozenset((error.ts, error.code) for row in rows for error in row.errors)
        for _, code in known - job.known_errors:
            name = str(code) if str(code) in _STATUSES else "other"
            job.errors[name] += 1
            cluster.errors[name] += 1
        job.known_errors = known
