"""What the gateway's own parts count, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from subscribers.dashboard.hub import Hub
from subscribers.dashboard.journals import Journals
from subscribers.dashboard.log_proxy import LogProxy
from subscribers.dashboard.session_routes import SessionRoutes
from subscribers.dashboard.slow_disconnects import SlowDisconnects

_MOST_NAMES = 50


class GatewayCollector(Collector):
    """Register it. It reads on each scrape, on the scrape's thread. Slow clients are told by the
    names of their tokens; beyond `_MOST_NAMES` of them, the rest together as `other`."""

    def __init__(
        self,
        hub: Hub,
        journals: Journals,
        log: LogProxy,
        session: SessionRoutes,
        cut: SlowDisconnects,
    ) -> None:
        self._hub = hub
        self._journals = journals
        self._log = log
        self._session = session
        self._cut = cut

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is hangs on who is connected."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        for name, text, value in (
            ("sent_bytes", "Bytes of event streams sent to clients.", self._hub.sent_bytes),
            ("sign_ins", "Cookies given for tokens.", self._session.sign_ins),
        ):
            yield CounterMetricFamily(f"raytap_gateway_{name}", text, value=value)
        for name, text, value in (
            ("replays", "Pages of journals that are asked for now.", self._journals.active),
            ("downloads", "Logs that are being sent whole.", self._log.active),
        ):
            yield GaugeMetricFamily(f"raytap_gateway_{name}", text, value=value)
        by_name: dict[str, int] = {}
        for client in list(self._hub.clients):
            if client.slow:
                known = client.grant.name in by_name or len(by_name) < _MOST_NAMES
                name = client.grant.name if known else "other"
                by_name[name] = by_name.get(name, 0) + 1
        slow = GaugeMetricFamily(
            "raytap_gateway_slow_clients_by_name",
            "Clients that take less than there is, by their token's name.",
            labels=["name"],
        )
        for name, count in by_name.items():
            slow.add_metric([name], count)
        yield slow
        cut = CounterMetricFamily(
            "raytap_gateway_slow_disconnects_by_name",
            "Clients that were let go for being slow, by their token's name.",
            labels=["name"],
        )
        for name, count in self._cut.by_name.copy().items():
            cut.add_metric([name], count)
        yield cut
