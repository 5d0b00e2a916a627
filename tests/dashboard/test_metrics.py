from __future__ import annotations

from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from broker.frame import Frame
from subscribers.dashboard.metrics import Metrics
from subscribers.dashboard.statistics import Statistics
from tests.support.gateway import GatewayUnderTest
from tests.support.served_broker import ServedBroker
from tests.support.wait import wait_until


@dataclass
class Someone:
    """A client."""

    buffered: int
    slow: bool


@pytest.fixture
def metrics() -> Metrics:
    statistics = Statistics()
    statistics.saw(Frame("log", "c", "job-1", 0, 1, lines=["x"]), 9, 0, 1.0, 0)
    metrics = Metrics("1.2.3", statistics, clock=lambda: 1.0)
    metrics.watch_clients(lambda: [Someone(10, False), Someone(5_000, True)])
    metrics.skipped_lines.inc(7)
    metrics.slow_disconnects.inc()
    metrics.http_requests.labels("/v1/jobs", "200").inc()
    return metrics


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("raytap_gateway_clients", 2),
        ("raytap_gateway_slow_clients", 1),
        ("raytap_gateway_buffered_bytes", 5_010),
        ("raytap_gateway_skipped_lines_total", 7),
        ("raytap_gateway_slow_disconnects_total", 1),
        ("raytap_gateway_connected", 0),
    ],
)
def test_clients_are_counted(metrics: Metrics, name: str, value: float) -> None:
    assert metrics.registry.get_sample_value(name) == value


def test_the_page_has_the_statistics_and_names_no_job(metrics: Metrics) -> None:
    page, content_type = metrics.exposition()
    assert content_type.startswith("text/plain")
    names = {family.name for family in parse(page.decode())}
    assert {"raytap_gateway_lines", "raytap_build_info", "raytap_http_requests"} <= names
    assert b"job-1" not in page


def test_a_scrape_tells_whether_the_gateway_is_connected() -> None:
    def connected(value: float) -> bool:
        page = gateway.get("/metrics").data.decode()
        return f"raytap_gateway_connected {value}" in page.splitlines()

    with ServedBroker() as broker, GatewayUnderTest([broker]) as gateway:
        assert connected(1.0)
        broker.crash()
        try:
            wait_until(lambda: connected(0.0), 20, "it is told that the bus is away")
        finally:
            broker.restart()
