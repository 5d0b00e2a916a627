"""The live statistics for Prometheus, by cluster: labels never name a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from subscribers.dashboard.statistics import Statistics

_QUANTILES: Final = ("0.5", "0.95", "0.99")


class StatisticsCollector(Collector):
    """Register it: `registry.register(StatisticsCollector(statistics))`. It reads the statistics
    on each scrape, on the scrape's thread. `clock` is the one that they are fed with."""

    def __init__(self, statistics: Statistics, clock: Callable[[], float] = time.monotonic) -> None:
        self._statistics = statistics
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is hangs on what was seen."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every metric, with a sample for each cluster."""
        cluster, now = ["cluster"], self._clock()
        lines = _counter("lines", "Lines seen.", cluster)
        size = _counter("bytes", "Bytes of frames seen.", cluster)
        frames = _counter("frames", "Frames seen.", cluster)
        error_lines = _counter("error_lines", "Lines of level ERROR and above.", cluster)
        gap_lines = _counter("gap_lines", "Lines in gaps.", ["cluster", "reason"])
        reconnects = _counter("reconnects", "Reconnects of the brokers to Ray.", cluster)
        errors = _counter("errors", "Errors of the brokers with Ray.", ["cluster", "code"])
        source_lag = GaugeMetricFamily(
            "raytap_gateway_source_lag_bytes", "Bytes of logs not read yet.", labels=cluster
        )
        lag = GaugeMetricFamily(
            "raytap_gateway_lag_seconds",
            "From read by the broker to seen by the gateway, of the last 30 to 60 seconds.",
            labels=["cluster", "quantile"],
        )
        for name in self._statistics.clusters():
            figures = self._statistics.of(name, None, now)
            lines.add_metric([name], figures.lines)
            size.add_metric([name], figures.bytes)
            frames.add_metric([name], figures.frames)
            error_lines.add_metric([name], figures.errors_seen)
            reconnects.add_metric([name], figures.reconnects)
            source_lag.add_metric([name], figures.source_lag_bytes)
            for reason, count in figures.gap_lines.items():
                gap_lines.add_metric([name, reason], count)
            for code, count in figures.errors.items():
                errors.add_metric([name, code], count)
            lags = (figures.lag_p50_ms, figures.lag_p95_ms, figures.lag_p99_ms)
            for quantile, value in zip(_QUANTILES, lags, strict=True):
                if value is not None:
                    lag.add_metric([name, quantile], value / 1000)
        yield from (lines, size, frames, error_lines, gap_lines, reconnects, errors)
        yield from (source_lag, lag)


def _counter(name: str, text: str, labels: list[str]) -> CounterMetricFamily:
    return CounterMetricFamily(f"raytap_gateway_{name}", text, labels=labels)
