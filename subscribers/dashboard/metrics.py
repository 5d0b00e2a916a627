"""What the gateway counts, for Prometheus. Labels name clusters, routes and reasons, never jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from subscribers.dashboard.statistics import Statistics
from subscribers.dashboard.statistics_collector import StatisticsCollector


class Watched(Protocol):
    """A client, as far as it is counted."""

    @property
    def buffered(self) -> int:
        """Bytes that wait for it."""

    @property
    def slow(self) -> bool:
        """Whether it takes less than there is."""


class Metrics:
    """One registry of its own; counters are incremented on any thread. `clock` is the monotonic
    one that the statistics are fed with."""

    def __init__(
        self, version: str, statistics: Statistics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Gauge(
            "raytap_build_info",
            "1; the label says which raytap this is.",
            ("version",),
            registry=self.registry,
        ).labels(version).set(1)
        self.registry.register(StatisticsCollector(statistics, clock))
        self.connected = Gauge(
            "raytap_gateway_connected", "1 while frames can come.", registry=self.registry
        )
        self.skipped_lines = Counter(
            "raytap_gateway_skipped_lines_total",
            "Lines that slow clients were told they do not get.",
            registry=self.registry,
        )
        self.slow_disconnects = Counter(
            "raytap_gateway_slow_disconnects_total",
            "Clients that were let go for being slow.",
            registry=self.registry,
        )
        self.http_requests = Counter(
            "raytap_http_requests_total",
            "HTTP requests.",
            ("route", "status"),
            registry=self.registry,
        )

    def watch_clients(self, clients: Callable[[], Iterable[Watched]]) -> None:
        """Ask for those who are connected on each scrape, on the scrape's thread."""
        self.registry.register(_Clients(clients))

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The page for `/metrics` in the format that `accept` asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _Clients(Collector):
    def __init__(self, clients: Callable[[], Iterable[Watched]]) -> None:
        self._clients = clients

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        clients = list(self._clients())
        for name, text, value in (
            ("clients", "Event streams that are open.", len(clients)),
            ("slow_clients", "Those that take less than there is.", sum(c.slow for c in clients)),
            ("buffered_bytes", "Bytes that wait for clients.", sum(c.buffered for c in clients)),
        ):
            yield GaugeMetricFamily(f"raytap_gateway_{name}", text, value=value)
