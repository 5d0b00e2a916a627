"""Clients that take less than there is: they are told what they miss, and slow nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from broker.errors import ClientError
from broker.topic import Stream
from subscribers.dashboard.hub import Hub
from subscribers.dashboard.slow_disconnects import SlowDisconnects
from tests.support.gateway import GatewayUnderTest
from tests.support.journal_records import EPOCH, log_frame
from tests.support.served_broker import ServedBroker
from tests.support.sse import Event, SseClient, frames, reaches, text
from tests.support.wait import wait_until

STREAM = Stream("ray", "busy")
PATH = f"/v1/jobs/{STREAM}/stream"


@pytest.fixture(scope="module")
def broker() -> Iterator[ServedBroker]:
    with ServedBroker() as broker:
        broker.publish(log_frame(0, 100, STREAM))
        yield broker


@contextmanager
def gateway_of(broker: ServedBroker, **settings: Any) -> Iterator[GatewayUnderTest]:
    with GatewayUnderTest([broker], **{"client_buffer": 64 << 10, **settings}) as gateway:
        wait_until(lambda: gateway.json("/v1/jobs")["jobs"], message="the job is listed")
        yield gateway


def publish_until(broker: ServedBroker, enough: Callable[[], object], seconds: float = 20.0) -> int:
    """Publish lines until something is so; the line that the job has reached."""
    deadline = time.monotonic() + seconds
    while not enough():
        assert time.monotonic() < deadline
        line = broker.views[STREAM].next
        broker.publish(*(log_frame(at, at + 500, STREAM) for at in range(line, line + 2500, 500)))
    return broker.views[STREAM].next


def slow(gateway: GatewayUnderTest) -> list[dict[str, Any]]:
    return [client for client in gateway.json("/v1/clients")["clients"] if client["slow"]]


def overflow(broker: ServedBroker, gateway: GatewayUnderTest) -> int:
    """Publish more than a client that takes nothing has room for; the line that is reached."""
    rounds = 0

    def enough() -> bool:
        nonlocal rounds
        clients = gateway.json("/v1/clients")["clients"]
        # On a busy machine it may be half full and have room again: slow for good is what counts.
        rounds = rounds + 1 if not clients or clients[0]["slow"] else 0
        return rounds > 20

    return publish_until(broker, enough)


def test_a_slow_client_is_told_exactly_which_lines_it_missed_and_then_goes_on(
    broker: ServedBroker,
) -> None:
    with gateway_of(broker) as gateway, gateway.stream(PATH, receive_buffer=4096) as client:
        client.next()
        begin = broker.views[STREAM].next
        end = overflow(broker, gateway)
        events = client.until(reaches(end))
        (row,) = gateway.json("/v1/clients")["clients"]
        metrics = gateway.get("/metrics").data.decode()
    skipped = [event.data for event in events if event.name == "skipped"]
    assert skipped
    assert {(one["cluster"], one["job"], one["epoch"], one["reason"]) for one in skipped} == {
        ("ray", "busy", EPOCH, "slow")
    }
    had = [line for _, line in text(frames(events))]
    told = [line for one in skipped for line in range(one["first"], one["next"])]
    assert sorted(had + told) == list(range(begin, end))
    assert row["skipped_lines"] == len(told)
    assert row["what"] == str(STREAM)
    assert f"raytap_gateway_skipped_lines_total {float(len(told))}" in metrics


def test_what_was_skipped_comes_before_what_goes_on(broker: ServedBroker) -> None:
    with gateway_of(broker) as gateway, gateway.stream(PATH, receive_buffer=4096) as client:
        client.next()
        expected = broker.views[STREAM].next
        overflow(broker, gateway)
        for event in client.until(reaches(broker.views[STREAM].next)):
            if event.name in ("frame", "skipped"):
                assert event.data["first"] == expected
                expected = event.data["next"]


def test_a_client_that_comes_back_after_lines_were_skipped_gets_them(broker: ServedBroker) -> None:
    with gateway_of(broker) as gateway:
        with gateway.stream(PATH, receive_buffer=4096) as client:
            client.next()
            overflow(broker, gateway)
            events = client.until(lambda event: event.name == "skipped")
        begin = frames(events)[-1]["next"]
        with gateway.stream(PATH, client.last_id) as again:
            had = text(frames(again.until(reaches(broker.views[STREAM].next))))
        assert [line for _, line in had] == list(range(begin, broker.views[STREAM].next))


def test_a_slow_client_slows_nobody(broker: ServedBroker) -> None:
    with (
        gateway_of(broker) as gateway,
        gateway.stream(PATH, receive_buffer=4096) as lazy,
        gateway.stream(PATH) as quick,
    ):
        lazy.next()
        quick.next()
        begin = broker.views[STREAM].next
        had: dict[tuple[str, int], str] = {}
        while not slow(gateway):
            line = broker.views[STREAM].next
            broker.publish(log_frame(line, line + 500, STREAM))
            events = quick.until(reaches(line + 500))
            assert "skipped" not in {event.name for event in events}
            had |= text(frames(events))
        assert [line for _, line in had] == list(range(begin, broker.views[STREAM].next))


def test_with_disconnect_a_slow_client_is_let_go_and_misses_nothing(broker: ServedBroker) -> None:
    with gateway_of(broker, on_slow="disconnect") as gateway:
        begin = broker.views[STREAM].next
        events: list[Event] = []
        with gateway.stream(PATH, receive_buffer=4096) as client:
            client.next()
            overflow(broker, gateway)
            with suppress(EOFError):
                while True:
                    events.append(client.next())
        with gateway.stream(PATH, client.last_id) as again:
            events += again.until(reaches(broker.views[STREAM].next))
        assert "skipped" not in {event.name for event in events}
        had = [line for _, line in text(frames(events))]
        assert had == list(range(begin, broker.views[STREAM].next))
        metrics = gateway.get("/metrics").data.decode()
        assert "raytap_gateway_slow_disconnects_total 1.0" in metrics
        assert 'raytap_gateway_slow_disconnects_by_name_total{name=""} 1.0' in metrics


def test_a_client_that_takes_nothing_for_long_is_cut_off_and_counted(broker: ServedBroker) -> None:
    with (
        gateway_of(broker, stall_s=0.5) as gateway,
        gateway.stream(PATH, receive_buffer=4096) as client,
    ):
        client.next()
        publish_until(broker, lambda: slow(gateway))
        wait_until(lambda: not gateway.json("/v1/clients")["clients"], 20, "it is cut off")
        metrics = gateway.get("/metrics").data.decode()
    assert "raytap_gateway_slow_disconnects_total 1.0" in metrics
    assert 'raytap_gateway_slow_disconnects_by_name_total{name=""} 1.0' in metrics


def test_a_client_that_goes_away_is_forgotten_and_no_slow_one(broker: ServedBroker) -> None:
    with gateway_of(broker) as gateway:
        with gateway.stream(PATH) as client:
            client.next()
            (row,) = gateway.json("/v1/clients")["clients"]
            assert row["address"].startswith("127.0.0.1:")
        wait_until(lambda: not gateway.json("/v1/clients")["clients"], message="it is forgotten")
        metrics = gateway.get("/metrics").data.decode()
    assert "raytap_gateway_slow_disconnects_total 0.0" in metrics


def test_beyond_fifty_names_those_who_are_let_go_are_counted_together() -> None:
    counted: list[None] = []
    cut = SlowDisconnects(lambda: counted.append(None))
    for number in range(60):
        cut.add(f"token-{number}", "127.0.0.1:1", "ray/busy", "full")
    cut.add("token-0", "127.0.0.1:2", "ray/busy", "stalled")
    assert len(counted) == 61
    assert len(cut.by_name) == 51
    assert (cut.by_name["token-0"], cut.by_name["other"]) == (2, 10)


def test_no_more_clients_than_allowed(broker: ServedBroker) -> None:
    with (
        gateway_of(broker, max_clients=2) as gateway,
        gateway.stream(PATH) as one,
        gateway.stream("/v1/events") as two,
    ):
        one.next()
        two.next()
        answer = gateway.get("/v1/clusters/ray/stream")
        assert answer.status == 503
        assert "Retry-After" in answer.headers
        assert "2 clients" in answer.json()["error"]["message"]


def test_a_silent_stream_is_kept_alive(
    broker: ServedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.dashboard.pouring.PING_S", 0.2)
    monkeypatch.setattr("subscribers.dashboard.hub.PING_S", 0.2)
    with gateway_of(broker) as gateway, gateway.stream(PATH) as client:
        assert client.next().name == "state"
        assert client.next() == Event(":", "ping", "")


def test_stop_ends_streams_in_order(broker: ServedBroker) -> None:
    with gateway_of(broker) as gateway:
        clients = [SseClient(gateway.url + PATH) for _ in range(20)]
        for client in clients:
            client.next()
        begun = time.monotonic()
        gateway.stop()
        assert time.monotonic() - begun < 2.0
        for client in clients:
            with pytest.raises(EOFError):
                client.next()
            client.close()


def test_a_stopped_hub_takes_nobody() -> None:
    hub = Hub(10, lambda _: True, SlowDisconnects(lambda: None))
    hub.stop()
    with pytest.raises(ClientError, match="stopping"):
        hub.add(object())  # type: ignore[arg-type]
    hub.deliver([], 0)  # it does not wait for ever
