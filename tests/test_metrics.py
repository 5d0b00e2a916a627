from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from broker.jobview import JobView
from broker.journal import Usage
from broker.metrics import Metrics, Readings

LABELS = {
    "cluster", "source", "transport", "rule", "kind", "reason", "code", "outcome", "state",
    "route", "status", "version", "le",
}  # fmt: skip


@pytest.fixture
def metrics() -> Metrics:
    """Every metric has a sample."""
    metrics = Metrics("1.2.3")
    metrics.lines.labels("default").inc(5)
    metrics.bytes.labels("default").inc(500)
    metrics.frames.labels("default", "log").inc()
    metrics.redacted.labels("default", "jwt").inc()
    metrics.truncated_lines.labels("default").inc()
    metrics.gap_lines.labels("default", "limit").inc()
    metrics.resets.labels("default").inc()
    metrics.errors.labels("default", "503").inc()
    metrics.reconnects.labels("default", "websocket").inc()
    metrics.source_requests.labels("default", "agent", "ok").inc()
    metrics.pipeline_fallbacks.inc()
    metrics.discovery_seconds.labels("default").observe(0.1)
    metrics.journal_commit_seconds.observe(0.01)
    metrics.replays.labels("sent").inc()
    metrics.http_requests.labels("/livez", "200").inc()
    metrics.watch_jobs(
        lambda: [
            JobView("default", "a", "streaming", size=100, offset=40),
            JobView("default", "b", "streaming", size=10, offset=20),
            JobView("default", "c", "ended"),
        ]
    )
    metrics.watch_journal(lambda: Usage(frames=3, stored_bytes=999, evicted_frames=2))
    metrics.watch(
        lambda: {
            "publisher_frames": {("zeromq",): 9},
            "publisher_bytes": {("zeromq",): 900},
            "publisher_dropped_frames": {("zeromq",): 0},
            "publisher_queue_frames": {("zeromq",): 7, ("redis",): 0},
            "publisher_connected": {("zeromq",): 1, ("redis",): 0},
        }
    )
    return metrics


def families(metrics: Metrics) -> list[Metric]:
    page, _ = metrics.exposition()
    return [
        family
        for family in parse(page.decode())
        if family.name.startswith("raytap_") and not family.name.endswith("_created")
    ]


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_every_metric_has_a_help_text_and_the_suffix_of_its_unit(metrics: Metrics) -> None:
    found = families(metrics)
    assert len(found) == 29
    for family in found:
        assert family.documentation, family.name
        assert "bytes" not in family.name or family.name.endswith("_bytes")
        if family.type == "counter":
            assert all(sample.name.endswith(("_total", "_created")) for sample in family.samples)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_labels_never_name_a_job(metrics: Metrics) -> None:
    used = {
        label
        for family in families(metrics)
        for sample in family.samples
        for label in sample.labels
    }
    assert used == LABELS


def test_streams_are_counted_by_state_and_their_lag_is_summed(metrics: Metrics) -> None:
    assert sample(metrics, "raytap_streams", cluster="default", state="streaming") == 2
    assert sample(metrics, "raytap_streams", cluster="default", state="ended") == 1
    assert sample(metrics, "raytap_source_lag_bytes", cluster="default") == 60


def test_gauges_kept_elsewhere_are_read_on_each_scrape() -> None:
    metrics, values = Metrics("1"), iter([1.0, 2.0])
    metrics.watch(lambda: {"journal_frames": next(values)})
    assert sample(metrics, "raytap_journal_frames") == 1
    assert sample(metrics, "raytap_journal_frames") == 2


def test_a_reader_that_fails_leaves_only_its_own_gauges_out(metrics: Metrics) -> None:
    def broken() -> Readings:
        raise RuntimeError("gone")

    before = len(families(metrics))
    metrics.watch(broken)
    assert len(families(metrics)) == before


def test_two_registries_share_nothing() -> None:
    one, other = Metrics("1"), Metrics("2")
    one.pipeline_fallbacks.inc()
    assert sample(other, "raytap_pipeline_fallbacks_total") == 0


def test_the_process_is_measured_too(metrics: Metrics) -> None:
    assert (sample(metrics, "process_resident_memory_bytes") or 0) > 0


def test_openmetrics_is_given_where_it_is_asked_for(metrics: Metrics) -> None:
    page, content_type = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    parsed: Iterator[Metric] = parse_open(page.decode())  # type: ignore[no-untyped-call]
    assert any(family.name == "raytap_lines" for family in parsed)
