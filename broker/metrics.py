"""What the daemon counts, for Prometheus. Labels name clusters, sources, transports and rules,
never jobs: those are in `/v1/jobs`.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from broker.events import get_logger
from broker.jobview import JobView
from broker.journal import Usage

events: Final = get_logger("metrics")

Watched = Literal[
    "streams",
    "source_lag_bytes",
    "publisher_frames",
    "publisher_bytes",
    "publisher_dropped_frames",
    "publisher_queue_frames",
    "publisher_connected",
    "journal_bytes",
    "journal_frames",
    "journal_evicted_frames",
    "child_up",
    "child_restarts",
    "degraded",
]
Reading = float | Mapping[tuple[str, ...], float]  # by label values where there are labels
Readings = Mapping[Watched, Reading]

_Family = type[GaugeMetricFamily] | type[CounterMetricFamily]
_WATCHED: Final[dict[Watched, tuple[_Family, str, tuple[str, ...]]]] = {
    "streams": (GaugeMetricFamily, "Streams by state.", ("cluster", "state")),
    "source_lag_bytes": (GaugeMetricFamily, "Bytes of logs not read yet.", ("cluster",)),
    "publisher_frames": (CounterMetricFamily, "Frames sent.", ("transport",)),
    "publisher_bytes": (CounterMetricFamily, "Bytes sent.", ("transport",)),
    "publisher_dropped_frames": (
        CounterMetricFamily,
        "Frames that a full outbox let go of.",
        ("transport",),
    ),
    "publisher_queue_frames": (GaugeMetricFamily, "Frames in the outbox.", ("transport",)),
    "publisher_connected": (GaugeMetricFamily, "1 while it takes frames.", ("transport",)),
    "journal_bytes": (GaugeMetricFamily, "Bytes the journal holds.", ()),
    "journal_frames": (GaugeMetricFamily, "Frames the journal holds.", ()),
    "journal_evicted_frames": (CounterMetricFamily, "Frames the journal let go of.", ()),
    "child_up": (GaugeMetricFamily, "1 while a program beside the daemon runs.", ("child",)),
    "child_restarts": (CounterMetricFamily, "How often it was started again.", ("child",)),
    "degraded": (GaugeMetricFamily, "How many things /readyz names that do not work.", ()),
}


class Metrics:
    """One registry of its own. Counters are incremented on any thread, as
    `metrics.lines.labels(cluster).inc(n)`; what is kept elsewhere is read when `/metrics` is asked
    for (`watch`).
    """

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._gauge("build_info", "1; the label says which raytap this is.", "version").labels(
            version
        ).set(1)

        # Ingest
        self.lines = self._counter("lines", "Log lines published.", "cluster")
        self.bytes = self._counter("bytes", "Bytes read from logs.", "cluster")
        self.frames = self._counter("frames", "Frames published.", "cluster", "kind")
        self.redacted = self._counter("redacted", "Secrets redacted.", "cluster", "rule")
        self.truncated_lines = self._counter("truncated_lines", "Lines cut short.", "cluster")
        self.gap_lines = self._counter("gap_lines", "Lines in gaps.", "cluster", "reason")
        self.resets = self._counter("resets", "Logs that began anew.", "cluster")
        self.errors = self._counter("errors", "Errors met by streams.", "cluster", "code")
        self.reconnects = self._counter("reconnects", "Reconnects.", "cluster", "source")
        self.source_requests = self._counter(
            "source_requests", "Requests to Ray.", "cluster", "source", "outcome"
        )
        self.pipeline_fallbacks = self._counter(
            "pipeline_fallbacks", "Chunks that were done again line by line."
        )
        self.discovery_seconds = Histogram(
            "raytap_discovery_seconds",
            "Time to list a cluster's jobs.",
            ("cluster",),
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )

        # Journal and HTTP
        self.journal_commit_seconds = Histogram(
            "raytap_journal_commit_seconds",
            "Time of a group commit.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self.journal_unjournaled = self._gauge(
            "journal_unjournaled", "1 while frames are published without being journaled."
        )
        self.unjournaled_frames = self._counter(
            "unjournaled_frames", "Frames published without being journaled."
        )
        self.replays = self._counter("replays", "Replays by how they ended.", "outcome")
        self.replays_active = self._gauge("replays_active", "Replays being sent.")
        self.http_requests = self._counter("http_requests", "HTTP requests.", "route", "status")

    def watch(self, read: Callable[[], Readings]) -> None:
        """Call `read` on each scrape, on the scrape's thread, for what is kept elsewhere.

        A name belongs to one `read`. One that raises is left out of that scrape, and logged.
        """
        self.registry.register(_Watch(read))

    def watch_jobs(self, jobs: Callable[[], Iterable[JobView]]) -> None:
        """Read `streams` and `source_lag_bytes` off what the daemon tells about its jobs."""
        self.watch(lambda: _of_jobs(jobs()))

    def watch_journal(self, usage: Callable[[], Usage]) -> None:
        """Read the journal's weight."""
        self.watch(lambda: _of_journal(usage()))

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The page for `/metrics` in the format that `accept` asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"raytap_{name}_total", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"raytap_{name}", text, labels, registry=self.registry)


class _Watch(Collector):
    def __init__(self, read: Callable[[], Readings]) -> None:
        self._read = read

    def describe(self) -> Iterator[Metric]:
        return iter(())  # else `register` would read before the daemon is up

    def collect(self) -> Iterator[Metric]:
        try:
            readings = self._read()
        except Exception as error:
            events.warning("metrics_unreadable", error=type(error).__name__)
            return
        for name, reading in readings.items():
            family, text, labels = _WATCHED[name]
            metric = family(f"raytap_{name}", text, labels=labels)
            values = reading if isinstance(reading, Mapping) else {(): reading}
            for label_values, value in values.items():
                metric.add_metric(label_values, value)
            yield metric


def _of_jobs(jobs: Iterable[JobView]) -> Readings:
    states: Tally[tuple[str, ...]] = Tally()
    lag: Tally[tuple[str, ...]] = Tally()
    for job in jobs:
        states[job.cluster, job.state] += 1
        behind = job.size - job.offset if job.size is not None and job.offset is not None else 0
        lag[job.cluster,] += max(0, behind)
    return {"streams": dict(states), "source_lag_bytes": dict(lag)}


def _of_journal(usage: Usage) -> Readings:
    return {
        "journal_bytes": usage.stored_bytes,
        "journal_frames": usage.frames,
        "journal_evicted_frames": usage.evicted_frames,
    }
