"""The real gateway in this process, on the brokers that a test has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Self

import urllib3
from msgspec.structs import replace

from broker.access.access import Access
from broker.config.config import DashboardConfig
from subscribers import Subscription
from subscribers.dashboard.gateway import Gateway
from tests.support.fake_broker import FakeBroker
from tests.support.permissions import OPEN
from tests.support.sse import SseClient
from tests.support.wait import wait_until


class GatewayUnderTest:
    """Runs while it is entered. `settings` are those of `[dashboard]`."""

    def __init__(
        self,
        brokers: Sequence[FakeBroker],
        access: Access = OPEN,
        *,
        token: str | None = None,
        alerts: str = "",
        stats_redis: str = "",
        stall_s: float = 60.0,
        **settings: Any,
    ) -> None:
        self._brokers = list(brokers)
        self._access = access
        self._options: dict[str, Any] = {
            "token": token, "alerts": alerts, "stats_redis": stats_redis, "stall_s": stall_s,
        }  # fmt: skip
        self._settings = replace(DashboardConfig(), **{"bind": "127.0.0.1:0", **settings})
        self._pool = urllib3.PoolManager(retries=False, timeout=10.0)
        self.gateway: Gateway | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._pool.clear()

    def start(self) -> None:
        """Start it, at the address it had before; returns when it is connected."""
        bind = self.url.removeprefix("http://") or self._settings.bind
        self.gateway = Gateway(
            replace(self._settings, bind=bind),
            self._access,
            self._subscribe,
            [broker.http for broker in self._brokers],
            version="1.2.3",
            **self._options,
        )
        self.gateway.start()
        self.url = f"http://{self.gateway.address}"
        wait_until(self._connected, message="the gateway is connected")

    def stop(self) -> None:
        """Stop it; nothing is left. Idempotent."""
        if self.gateway is not None:
            self.gateway.stop()
            self.gateway = None

    def get(self, path: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
        """The whole answer. Header names are written with `_`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._pool.request(method, self.url + path, headers=named, redirect=False)

    def json(self, path: str, **headers: str) -> Any:
        """The answer's body; it must be 200."""
        answer = self.get(path, **headers)
        assert answer.status == 200, answer.data
        return json.loads(answer.data)

    def error(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """The status, and the message of the one shape that every error has."""
        answer = self.get(path, method, **headers)
        body = json.loads(answer.data)
        assert list(body) == ["error"]
        assert body["error"]["status"] == answer.status
        assert answer.headers["Content-Type"] == "application/json"
        return answer.status, body["error"]["message"]

    def stream(self, path: str, last_id: str = "", **options: Any) -> SseClient:
        """An event stream."""
        return SseClient(self.url + path, last_id=last_id, **options)

    def _connected(self) -> bool:
        body = json.loads(self.get("/readyz").data)
        return body["ready"] and not any("no live lines" in one for one in body["degraded"])

    def _subscribe(self) -> Subscription:
        return Subscription(
            "*",
            zeromq=[broker.endpoint for broker in self._brokers],
            brokers=[broker.http for broker in self._brokers],
            start="live",
            token=self._options["token"],
            repair_timeout=3.0,
        )
