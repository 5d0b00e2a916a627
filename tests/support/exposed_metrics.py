"""The metrics that raytap's programs expose, with their labels: read off their real expositions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from broker.frame import Frame
from broker.jobview import ErrorView, JobView
from broker.metrics import _WATCHED
from broker.metrics import Metrics as DaemonMetrics
from subscribers.alerts.delivery.views import ReceiverView
from subscribers.alerts.engine.alert import Alert
from subscribers.alerts.service.metrics import Metrics as AlertsMetrics
from subscribers.dashboard.metrics import Metrics as GatewayMetrics
from subscribers.dashboard.statistics import Statistics

Exposed = dict[str, set[str]]
"""The labels of each sample, by its name."""


@dataclass(frozen=True)
class _Client:
    buffered: int = 0
    slow: bool = False


def of_daemon() -> Exposed:
    """`raytap serve`; what it reads elsewhere is declared beside the registry."""
    metrics = DaemonMetrics("1")
    metrics.watch(
        lambda: {name: {("x",) * len(labels): 1.0} for name, (_, _, labels) in _WATCHED.items()}
    )
    return _exposed(metrics.registry, metrics.exposition()[0])


def of_gateway() -> Exposed:
    """`raytap dashboard`, after a frame of each kind that is counted."""
    statistics = Statistics()
    statistics.saw(Frame("log", "c", "j", 0, 1, ts=1, lines=["x"]), 9, 1, 0.0, 2)
    statistics.saw(Frame("gap", "c", "j", 1, 2, reason="limit"), 9, 0, 0.0, 2)
    statistics.told([JobView("c", "j", "streaming", errors=[ErrorView(1, 503, "x")])], 0.0)
    metrics = GatewayMetrics("1", statistics, clock=lambda: 0.0)
    metrics.watch_clients(lambda: [_Client()])
    return _exposed(metrics.registry, metrics.exposition()[0])


def of_alerts() -> Exposed:
    """`raytap alerts`, with an alert that fires and a receiver."""
    alert = Alert(
        fingerprint="0" * 16, rule="r", severity="s", labels={}, annotations={}, starts_at=0.0
    )
    receiver = ReceiverView("ops", "webhook", ok=True, queued=0, sent=1, failed=0)
    metrics = AlertsMetrics("1")
    metrics.watch(lambda: [alert], lambda: [receiver])
    return _exposed(metrics.registry, metrics.exposition()[0])


def parsed(page: str) -> Exposed:
    """Of the text that `/metrics` answers. One without a sample yet has its name, no labels."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(page):
        if not family.samples:
            found[f"{family.name}_total" if family.type == "counter" else family.name] = set()
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found[sample.name] |= set(sample.labels)
    return found


def _exposed(registry: CollectorRegistry, before: bytes) -> Exposed:
    """What is on the page, and what will be once every declared label has a value."""
    found = parsed(before.decode())
    for collector in list(registry._collector_to_names):
        if isinstance(collector, MetricWrapperBase) and collector._labelnames:
            collector.labels(*["x"] * len(collector._labelnames))
    for family in registry.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found.setdefault(sample.name, set()).update(sample.labels)
    return found
