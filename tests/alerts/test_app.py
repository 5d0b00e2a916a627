"""The HTTP API of the alerts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3

from broker.access.access import Access
from broker.access.token import hash_token
from broker.config.config import AccessConfig, TokenConfig
from broker.errors import ClientError
from broker.topic import Stream
from broker.web.server import HttpServer
from subscribers.alerts.delivery.views import AlertsView, ReceiverView, view_of
from subscribers.alerts.notifications.mutes import Mute, new_mute
from subscribers.alerts.service.app import create_app
from subscribers.alerts.service.metrics import Metrics
from tests.support.alerting import alert, over

MUTE = Mute("abcd", ['job="secret-1"'], 2e9, "why", "who")


class Service:
    """What the API is told."""

    def __init__(self) -> None:
        self.is_ready = True
        self.limits: list[int] = []
        self.mutes: list[Mute] = []
        self.alerts = [alert("oom"), alert("disk", job="secret-1")]

    def ready(self) -> bool:
        return self.is_ready

    def degraded(self) -> list[str]:
        return ["receiver hook: HTTP 500 (1 wait)"]

    def view(self, allows: Callable[[Stream], bool], limit: int) -> AlertsView:
        self.limits.append(limit)
        shown = [one for one in self.alerts if allows(Stream(one.cluster, one.job))]
        return AlertsView(
            True,
            [view_of(one, muted=one.rule == "disk") for one in shown],
            [view_of(over(one, 1060.0), muted=False) for one in shown],
            [MUTE, *self.mutes],
            [ReceiverView("hook", "webhook", False, 1, 2, 3, last_error="HTTP 500")],
            self.degraded(),
        )

    def mute(self, matchers: list[str], seconds: float, reason: str, by: str) -> Mute:
        mute = new_mute(f"id{len(self.mutes)}", matchers, seconds, reason, by, 0.0)
        self.mutes.append(mute)
        return mute

    def end_mute(self, id_: str) -> None:
        if id_ != "abcd":
            raise ClientError(404, f"there is no mute {id_}")


class Api:
    def __init__(self, service: Service, access: AccessConfig, bind: str = "127.0.0.1:0") -> None:
        self.service = service
        app = create_app(service, Metrics("test"), Access.of(access), bind)
        self.server = HttpServer(app, "127.0.0.1:0")
        self.server.start()
        self._http = urllib3.PoolManager(retries=False, timeout=10.0)

    def ask(
        self, method: str, path: str, token: str = "", body: object = None, **headers: str
    ) -> tuple[int, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        answer = self._http.request(
            method, f"http://{self.server.address}{path}", body=data, headers=sent
        )
        is_json = answer.headers.get("content-type") == "application/json"
        return answer.status, json.loads(answer.data) if is_json else answer.data.decode()

    def close(self) -> None:
        self._http.clear()
        self.server.stop(1.0)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def api(service: Service) -> Iterator[Api]:
    api = Api(service, AccessConfig())
    yield api
    api.close()


@pytest.fixture
def closed(service: Service) -> Iterator[Api]:
    """One that asks for tokens."""
    tokens = {
        "all": TokenConfig(hash=hash_token("all"), actions=["read", "admin"]),
        "train": TokenConfig(hash=hash_token("train"), jobs=["train-*"]),
    }
    api = Api(service, AccessConfig(token=tokens))
    yield api
    api.close()


def test_the_alerts_are_told_as_agreed(api: Api) -> None:
    status, view = api.ask("GET", "/v1/alerts")
    assert status == 200
    assert view["configured"] is True
    first = view["firing"][0]
    assert (first["rule"], first["state"], first["muted"]) == ("oom", "firing", False)
    assert {"fingerprint", "severity", "labels", "annotations", "cluster", "job", "epoch", "line",
            "starts_at", "ends_at", "value", "url"} <= set(first)  # fmt: skip
    assert view["history"][0]["ends_at"] == 1060.0
    assert view["mutes"][0] == {"id": "abcd", "matchers": ['job="secret-1"'], "until": 2e9,
                                "reason": "why", "by": "who"}  # fmt: skip
    assert {"name", "kind", "ok", "queued", "sent", "failed", "last_error"} <= set(
        view["receivers"][0]
    )


def test_a_token_sees_the_alerts_of_its_jobs_and_nothing_of_others(closed: Api) -> None:
    status, view = closed.ask("GET", "/v1/alerts", "train")
    assert status == 200
    assert [one["rule"] for one in view["firing"]] == ["oom"]
    assert "secret" not in json.dumps(view)
    _, whole = closed.ask("GET", "/v1/alerts", "all")
    assert [one["rule"] for one in whole["firing"]] == ["oom", "disk"]


def test_one_may_ask_for_more_or_fewer_alerts(api: Api) -> None:
    for query in ("", "?limit=7", "?limit=0", "?limit=10000"):
        assert api.ask("GET", f"/v1/alerts{query}")[0] == 200
    assert api.service.limits == [500, 7, 0, 10_000]


@pytest.mark.parametrize("query", ["limit=-1", "limit=many", "limit=10001", "offset=3"])
def test_a_wrong_number_of_alerts_is_refused(api: Api, query: str) -> None:
    status, body = api.ask("GET", f"/v1/alerts?{query}")
    assert (status, body["error"]["status"]) == (400, 400)
    assert "limit" in body["error"]["message"]


def test_without_a_token_there_is_nothing_to_see(closed: Api) -> None:
    status, body = closed.ask("GET", "/v1/alerts")
    assert (status, body["error"]["status"]) == (401, 401)
    for path in ("/", "/livez", "/readyz", "/metrics"):
        assert closed.ask("GET", path)[0] == 200


def test_a_mute_needs_admin(closed: Api) -> None:
    wanted = {"matchers": ['severity="info"'], "for": "2h", "reason": "noise", "by": "someone"}
    assert closed.ask("POST", "/v1/mutes", "", wanted)[0] == 401
    assert closed.ask("POST", "/v1/mutes", "train", wanted)[0] == 403
    assert closed.ask("DELETE", "/v1/mutes/abcd", "train")[0] == 403
    status, mute = closed.ask("POST", "/v1/mutes", "all", wanted)
    assert (status, mute["until"], mute["by"]) == (201, 7200.0, "all")
    assert closed.ask("DELETE", "/v1/mutes/abcd", "all")[0] == 204


def test_a_mute_takes_seconds_or_a_unit(api: Api) -> None:
    for length in (7200, "2h", "120m"):
        status, mute = api.ask("POST", "/v1/mutes", body={"matchers": ["a=b"], "for": length})
        assert (status, mute["until"], mute["matchers"]) == (201, 7200.0, ['a="b"'])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"matchers": [], "for": 1}, 400),
        ({"matchers": ["nonsense"], "for": 1}, 400),
        ({"matchers": ["a=b"]}, 400),
        ({"matchers": ["a=b"], "for": "soon"}, 400),
        ({"matchers": ["a=b"], "for": 0}, 400),
        ({"matchers": ["a=b"], "for": "9999d"}, 400),
        ({"matchers": ["a=b"], "for": 1, "until": 3}, 400),
        (b"not json", 400),
        (b"\xff\xfe", 400),
        (b" " * 100_000, 413),
    ],
)
def test_a_wrong_mute_is_refused(api: Api, body: object, status: int) -> None:
    got, said = api.ask("POST", "/v1/mutes", body=body)
    assert (got, said["error"]["status"]) == (status, status)
    assert api.service.mutes == []


def test_a_page_of_another_origin_cannot_mute(api: Api) -> None:
    body = {"matchers": ["a=b"], "for": 1}
    assert api.ask("POST", "/v1/mutes", body=body, Origin="http://evil.example")[0] == 403
    assert api.ask("POST", "/v1/mutes", body=body, Content_Type="text/plain")[0] == 415
    assert api.ask("DELETE", "/v1/mutes/abcd", Origin="http://evil.example")[0] == 403


def test_where_other_machines_reach_it_nothing_is_muted_without_permissions(
    service: Service,
) -> None:
    api = Api(service, AccessConfig(), bind="0.0.0.0:8272")
    assert api.ask("POST", "/v1/mutes", body={"matchers": ["a=b"], "for": 1})[0] == 403
    assert api.ask("GET", "/v1/alerts")[0] == 200
    api.close()


def test_an_unknown_mute_is_404(api: Api) -> None:
    assert api.ask("DELETE", "/v1/mutes/nope")[0] == 404


def test_ready_says_what_is_degraded(api: Api) -> None:
    assert api.ask("GET", "/readyz") == (
        200, {"ready": True, "degraded": ["receiver hook: HTTP 500 (1 wait)"]},
    )  # fmt: skip
    api.service.is_ready = False
    status, body = api.ask("GET", "/readyz")
    assert (status, body["ready"], body["error"]["status"]) == (503, False, 503)


def test_metrics_are_for_prometheus(api: Api) -> None:
    _, page = api.ask("GET", "/metrics")
    assert "raytap_alerts_frames_total 0.0" in page
    assert "raytap_alerts_commit_seconds_bucket" in page
