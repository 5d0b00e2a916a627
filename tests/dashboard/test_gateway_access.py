"""Who may see what: tokens, cookies, origins, and what every answer tells a browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest

from broker.access.access import Access
from broker.access.grant import Grant
from broker.access.token import hash_token
from broker.config.config import AccessConfig, TokenConfig
from broker.topic import Stream
from tests.support.gateway import GatewayUnderTest
from tests.support.journal_records import log_frame
from tests.support.permissions import TOKEN, access
from tests.support.served_broker import ServedBroker
from tests.support.wait import wait_until

MINE, THEIRS = Stream("ray", "mine-1"), Stream("ray", "theirs-1")
BEARER = f"Bearer {TOKEN}"
PRIVATE = (
    *("/v1/session", "/v1/jobs", f"/v1/jobs/{MINE}", f"/v1/jobs/{MINE}/log"),
    *(f"/v1/jobs/{MINE}/lines", f"/v1/jobs/{MINE}/search?q=x", f"/v1/jobs/{MINE}/stream"),
    *("/v1/clusters/ray/stream", "/v1/events", "/v1/stats?cluster=ray", "/v1/alerts"),
    "/v1/clients",
)
PUBLIC = ("/", f"/jobs/{MINE}", "/static/app.js", "/livez", "/readyz", "/metrics")


@pytest.fixture(scope="module")
def broker() -> Iterator[ServedBroker]:
    with ServedBroker() as broker:
        broker.publish(log_frame(0, 100, MINE), log_frame(0, 100, THEIRS))
        yield broker


@pytest.fixture(scope="module")
def gateway(broker: ServedBroker) -> Iterator[GatewayUnderTest]:
    with GatewayUnderTest([broker], access(jobs=["mine-*"])) as gateway:
        wait_until(
            lambda: gateway.json("/v1/jobs", Authorization=BEARER)["jobs"], message="it is listed"
        )
        yield gateway


def sign_in(gateway: GatewayUnderTest, **headers: str) -> str:
    """The cookie's header, as a browser sends it back."""
    answer = gateway.get("/v1/session", "POST", Authorization=BEARER, **headers)
    assert answer.status == 204
    cookie = SimpleCookie(answer.headers["Set-Cookie"])
    return f"raytap_session={cookie['raytap_session'].value}"


@pytest.mark.parametrize("path", PRIVATE)
def test_without_a_token_it_is_401(gateway: GatewayUnderTest, path: str) -> None:
    answer = gateway.get(path)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["error"]["status"] == 401


@pytest.mark.parametrize("path", PUBLIC)
def test_the_page_and_the_health_need_none(gateway: GatewayUnderTest, path: str) -> None:
    assert gateway.get(path).status == 200


@pytest.mark.parametrize("what", ["", "/log", "/lines", "/search?q=x", "/stream"])
def test_another_job_is_403(gateway: GatewayUnderTest, what: str) -> None:
    status, message = gateway.error(f"/v1/jobs/{THEIRS}{what}", Authorization=BEARER)
    assert status == 403
    assert "may not read" in message


def test_another_job_is_not_in_lists(gateway: GatewayUnderTest) -> None:
    body = gateway.json("/v1/jobs", Authorization=BEARER)
    assert [row["job"] for row in body["jobs"]] == ["mine-1"]
    with gateway.stream("/v1/events", Authorization=BEARER) as client:
        assert [row["job"] for row in client.next().data["jobs"]] == ["mine-1"]


def test_the_health_and_the_metrics_name_no_job(gateway: GatewayUnderTest) -> None:
    for path in ("/readyz", "/metrics"):
        assert b"mine" not in gateway.get(path).data


def test_the_clients_are_for_admins(gateway: GatewayUnderTest) -> None:
    assert gateway.error("/v1/clients", Authorization=BEARER)[0] == 403


def test_a_session_says_what_it_may_do(gateway: GatewayUnderTest) -> None:
    assert gateway.json("/v1/session", Authorization=BEARER) == {
        "required": True, "name": "tester", "clusters": ["*"], "jobs": ["mine-*"],
        "actions": ["read"], "expires": None,
    }  # fmt: skip


def test_a_token_is_exchanged_for_a_cookie_that_scripts_cannot_read(
    gateway: GatewayUnderTest,
) -> None:
    answer = gateway.get("/v1/session", "POST", Authorization=BEARER)
    cookie = answer.headers["Set-Cookie"]
    assert TOKEN not in cookie
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert attributes == {"httponly", "samesite=strict", "path=/", "max-age=43200"}
    secure = gateway.get("/v1/session", "POST", Authorization=BEARER, X_Forwarded_Proto="https")
    assert "Secure" in secure.headers["Set-Cookie"]


def test_the_cookie_opens_what_the_token_does(gateway: GatewayUnderTest) -> None:
    cookie = sign_in(gateway)
    assert gateway.json(f"/v1/jobs/{MINE}", Cookie=cookie)["next"] == 100
    assert gateway.error(f"/v1/jobs/{THEIRS}", Cookie=cookie)[0] == 403


def test_signing_out_ends_the_cookie_and_its_streams(gateway: GatewayUnderTest) -> None:
    cookie = sign_in(gateway)
    with gateway.stream(f"/v1/jobs/{MINE}/stream", Cookie=cookie) as client:
        client.next()
        answer = gateway.get("/v1/session", "DELETE", Cookie=cookie)
        assert answer.status == 204
        assert "max-age=0" in answer.headers["Set-Cookie"].lower()
        with pytest.raises(EOFError):
            client.next()
    assert gateway.get("/v1/session", Cookie=cookie).status == 401


def test_a_stream_ends_when_its_token_does(broker: ServedBroker) -> None:
    digest = hash_token(TOKEN)
    grant = Grant("brief", ("*",), ("*",), frozenset({"read"}), time.time() + 1.5, digest)
    brief = Access({digest: grant}, None, time.time)
    with GatewayUnderTest([broker], brief) as gateway:
        cookie = sign_in(gateway)
        with (
            gateway.stream(f"/v1/jobs/{MINE}/stream", Authorization=BEARER) as by_token,
            gateway.stream(f"/v1/jobs/{MINE}/stream", Cookie=cookie) as by_cookie,
        ):
            for client in (by_token, by_cookie):
                client.next()
            for client in (by_token, by_cookie):
                with pytest.raises(EOFError):
                    client.next()


def test_a_stream_ends_at_once_when_its_token_is_taken_back(broker: ServedBroker) -> None:
    with GatewayUnderTest([broker], access()) as gateway:
        cookie = sign_in(gateway)
        with (
            gateway.stream(f"/v1/jobs/{MINE}/stream", Authorization=BEARER) as by_token,
            gateway.stream("/v1/events", Cookie=cookie) as by_cookie,
        ):
            for client in (by_token, by_cookie):
                client.next()
            assert gateway.gateway is not None
            other = TokenConfig(hash=hash_token("raytap_other"))
            gateway.gateway.reload(AccessConfig(token={"tester": other}))
            for client in (by_token, by_cookie):
                with pytest.raises(EOFError):
                    client.until(lambda _: False)
        assert gateway.get("/v1/session", Cookie=cookie).status == 401


def test_a_cookie_of_before_ends_no_stream_of_a_gateway_that_asks_for_none(
    broker: ServedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.dashboard.hub._TICK_S", 0.01)
    monkeypatch.setattr("subscribers.dashboard.pouring.PING_S", 0.2)
    monkeypatch.setattr("subscribers.dashboard.hub.PING_S", 0.2)
    with (
        GatewayUnderTest([broker]) as gateway,
        gateway.stream(f"/v1/jobs/{MINE}/stream", Cookie="raytap_session=old") as client,
    ):
        client.next()
        assert client.next().name == ":"


def test_a_page_of_another_origin_changes_nothing(gateway: GatewayUnderTest) -> None:
    cookie = sign_in(gateway)
    status, _ = gateway.error("/v1/session", "DELETE", Cookie=cookie, Origin="http://evil.example")
    assert status == 403
    assert gateway.get("/v1/session", Cookie=cookie).status == 200
    own = gateway.url
    assert gateway.get("/v1/session", "DELETE", Cookie=cookie, Origin=own).status == 204


def test_a_name_that_points_here_is_not_served(gateway: GatewayUnderTest) -> None:
    assert gateway.error("/v1/jobs", Host="evil.example", Authorization=BEARER)[0] == 403


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/v1/jobs", "/nothing", "/livez"])
def test_every_answer_forbids_a_browser_what_it_does_not_need(
    gateway: GatewayUnderTest, path: str
) -> None:
    headers = gateway.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Access-Control-Allow-Origin" not in headers


def test_other_origins_are_let_in_where_they_are_named(broker: ServedBroker) -> None:
    friend, path = "https://friend.example", f"/v1/jobs/{MINE}/log"
    with GatewayUnderTest([broker], access(), cors_origins=[friend]) as gateway:
        asked = gateway.get(
            path,
            "OPTIONS",
            Origin=friend,
            Access_Control_Request_Method="GET",
            Access_Control_Request_Headers="Authorization",
        )
        assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (200, friend)
        answer = gateway.get(path, Origin=friend, Authorization=BEARER)
        assert answer.headers["Access-Control-Allow-Origin"] == friend
        assert "Raytap-Next" in answer.headers["Access-Control-Expose-Headers"]
        other = gateway.get(path, Origin="https://evil.example", Authorization=BEARER)
        assert "Access-Control-Allow-Origin" not in other.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_where_no_token_is_required_all_is_open(broker: ServedBroker) -> None:
    with GatewayUnderTest([broker]) as gateway:
        session = gateway.json("/v1/session")
        assert (session["required"], session["actions"]) == (False, ["admin", "read"])
        answer = gateway.get("/v1/session", "POST")
        assert (answer.status, "Set-Cookie" in answer.headers) == (204, False)


def test_the_gateways_own_token_opens_the_brokers() -> None:
    with ServedBroker(access=access()) as closed:
        closed.publish(log_frame(0, 10, MINE))
        with GatewayUnderTest([closed], token=TOKEN) as gateway:
            wait_until(lambda: gateway.json("/v1/jobs")["jobs"], message="the job is listed")
            assert gateway.json(f"/v1/jobs/{MINE}/lines")["next"] == 10
            assert gateway.get(f"/v1/jobs/{MINE}/log").data.count(b"\n") == 10


def test_a_gateway_without_the_brokers_token_says_so_and_not_401() -> None:
    with ServedBroker(access=access()) as closed:
        closed.publish(log_frame(0, 10, MINE))
        with GatewayUnderTest([closed]) as gateway:
            assert gateway.error(f"/v1/jobs/{MINE}/lines")[0] == 503
            assert gateway.error(f"/v1/jobs/{MINE}/log")[0] == 503
            assert any("token" in one for one in gateway.json("/readyz")["degraded"])


def test_a_token_never_goes_into_the_query(gateway: GatewayUnderTest) -> None:
    assert gateway.error(f"/v1/jobs?token={TOKEN}")[0] == 401
