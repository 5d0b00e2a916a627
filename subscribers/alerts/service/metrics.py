"""What the alerts count, for Prometheus. Labels name receivers and severities, never jobs."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from subscribers.alerts.delivery.views import ReceiverView
from subscribers.alerts.engine.alert import Alert

_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)


class Metrics:
    """One registry of its own; counters are incremented on any thread."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Gauge("raytap_build_info", "1; the label says which raytap this is.", ("version",),
                      registry=self.registry)  # fmt: skip
        build.labels(version).set(1)
        self.frames = self._counter("frames", "Frames that rules were evaluated on.")
        self.lines = self._counter("lines", "Log lines that rules were evaluated on.")
        self.transitions = self._counter("transitions", "Alerts that began or ended.", "state")
        self.failures = self._counter("evaluation_failures", "Frames that a rule failed on.")
        self.rules = self._gauge("rules", "Rules in force.")
        self.reload_ok = self._gauge("reload_ok", "1 where the rules files were right last time.")
        self.connected = self._gauge("connected", "1 while frames can come.")
        self.lag = self._gauge("lag_seconds", "From the broker's reading of a frame to its rules.")
        self.store_ok = self._gauge("store_ok", "1 while what is sent can be remembered.")
        self.commit_seconds = Histogram(
            "raytap_alerts_commit_seconds",
            "Time of a step's commit.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.http_requests = Counter(
            "raytap_http_requests_total",
            "HTTP requests.",
            ("route", "status"),
            registry=self.registry,
        )

    def watch(
        self, firing: Callable[[], list[Alert]], receivers: Callable[[], list[ReceiverView]]
    ) -> None:
        """Read these on each scrape, on the scrape's thread."""
        self.registry.register(_Watch(firing, receivers))

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The page for `/metrics` in the format that `accept` asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"raytap_alerts_{name}_total", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"raytap_alerts_{name}", text, registry=self.registry)


class _Watch(Collector):
    def __init__(
        self, firing: Callable[[], list[Alert]], receivers: Callable[[], list[ReceiverView]]
    ) -> None:
        self._firing = firing
        self._receivers = receivers

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        firing = GaugeMetricFamily("raytap_alerts_firing", "Alerts that fire.", labels=["severity"])
        for severity, count in Tally(alert.severity for alert in self._firing()).items():
            firing.add_metric([severity], count)
        yield firing
        done = CounterMetricFamily(
            "raytap_alerts_notifications",
            "Notifications by what became of them: sent, failed (refused, or too old), dropped "
            "(the queue was full), retried (attempts that will be repeated).",
            labels=["receiver", "outcome"],
        )
        queued = GaugeMetricFamily(
            "raytap_alerts_queued", "Notifications that wait.", labels=["receiver"]
        )
        works = GaugeMetricFamily(
            "raytap_alerts_receiver_ok", "1 where the last attempt went well.", labels=["receiver"]
        )
        for view in self._receivers():
            done.add_metric([view.name, "sent"], view.sent)
            done.add_metric([view.name, "failed"], view.failed)
            done.add_metric([view.name, "dropped"], view.dropped)
            done.add_metric([view.name, "retried"], view.retries)
            queued.add_metric([view.name], view.queued)
            works.add_metric([view.name], view.ok)
        yield from (done, queued, works)
