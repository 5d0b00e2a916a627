from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from broker.frame import Frame
from broker.jobview import ErrorView, JobView
from subscribers.dashboard.statistics import Statistics
from subscribers.dashboard.statistics_collector import StatisticsCollector

NOW_NS = 1_700_000_000_000_000_000


@pytest.fixture
def registry() -> CollectorRegistry:
    statistics = Statistics()
    read = NOW_NS - 40_000_000
    log = Frame("log", "c", "secret-name", 0, 3, ts=read, lines=["x"] * 3)
    statistics.saw(log, 500, 1, 10.0, NOW_NS)
    statistics.saw(Frame("gap", "c", "secret-name", 3, 9, reason="source"), 50, 0, 10.0, NOW_NS)
    row = JobView(
        "c", "secret-name", "streaming", size=9, offset=2, errors=[ErrorView(1, 503, "x")]
    )
    statistics.told([row], 10.0)
    registry = CollectorRegistry()
    registry.register(StatisticsCollector(statistics, clock=lambda: 10.5))
    return registry


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("lines_total", {}, 3),
        ("bytes_total", {}, 550),
        ("frames_total", {}, 2),
        ("error_lines_total", {}, 1),
        ("gap_lines_total", {"reason": "source"}, 6),
        ("reconnects_total", {}, 0),
        ("errors_total", {"code": "503"}, 1),
        ("source_lag_bytes", {}, 7),
        ("lag_seconds", {"quantile": "0.5"}, 0.04),
        ("lag_seconds", {"quantile": "0.99"}, 0.04),
    ],
)
def test_a_cluster_s_figures_are_given(
    registry: CollectorRegistry, name: str, labels: dict[str, str], value: float
) -> None:
    told = registry.get_sample_value(f"raytap_gateway_{name}", {"cluster": "c", **labels})
    assert told == pytest.approx(value, rel=0.01)


def test_no_job_is_named(registry: CollectorRegistry) -> None:
    assert b"secret-name" not in generate_latest(registry)


def test_before_anything_came_there_is_nothing_but_the_names() -> None:
    registry = CollectorRegistry()
    registry.register(StatisticsCollector(Statistics()))
    assert [sample for family in registry.collect() for sample in family.samples] == []
