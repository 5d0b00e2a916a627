"""All jobs of a cluster on one stream, and going on with it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from broker.topic import Stream
from tests.support.gateway import GatewayUnderTest
from tests.support.journal_records import EPOCH, log_frame, point_frame
from tests.support.permissions import TOKEN, access
from tests.support.served_broker import ServedBroker
from tests.support.sse import Event, SseClient, frames, text
from tests.support.wait import wait_until

PATH = "/v1/clusters/ray/stream"
ONE, TWO, ELSEWHERE = Stream("ray", "one"), Stream("ray", "two"), Stream("other", "one")


@pytest.fixture
def broker() -> Iterator[ServedBroker]:
    with ServedBroker() as broker:
        for stream in (ONE, TWO, ELSEWHERE):
            broker.publish(log_frame(0, 100, stream))
        yield broker


@pytest.fixture
def gateway(broker: ServedBroker) -> Iterator[GatewayUnderTest]:
    with GatewayUnderTest([broker]) as gateway:
        wait_until(lambda: len(gateway.json("/v1/jobs")["jobs"]) == 3, message="they are listed")
        yield gateway


def lines(events: list[Event], stream: Stream) -> list[int]:
    """The numbers of a job's lines, each once."""
    mine = [frame for frame in frames(events) if frame["job"] == stream.job]
    return [line for _, line in text(mine)]


def both(client: SseClient, line: int) -> list[Event]:
    """The events until both jobs stand at that line."""
    reached: dict[str, int] = {}

    def enough(event: Event) -> bool:
        if event.name == "frame":
            reached[event.data["job"]] = event.data["next"]
        return all(reached.get(stream.job, 0) >= line for stream in (ONE, TWO))

    return client.until(enough)


def test_every_job_of_the_cluster_comes_and_no_other(
    broker: ServedBroker, gateway: GatewayUnderTest
) -> None:
    with gateway.stream(PATH) as client:
        assert client.next().name == "state"
        for stream in (ELSEWHERE, ONE, TWO):
            broker.publish(log_frame(100, 110, stream))
        events = both(client, 110)
    assert {frame["cluster"] for frame in frames(events)} == {"ray"}
    assert lines(events, ONE) == lines(events, TWO) == list(range(100, 110))


def test_a_new_job_joins_from_its_first_line(
    broker: ServedBroker, gateway: GatewayUnderTest
) -> None:
    new = Stream("ray", "new")
    with gateway.stream(PATH) as client:
        client.next()
        broker.publish(log_frame(0, 10, new))
        events = client.until(lambda event: event.name == "frame")
    assert lines(events, new) == list(range(10))


def test_a_client_that_comes_back_goes_on_in_every_job(
    broker: ServedBroker, gateway: GatewayUnderTest
) -> None:
    with gateway.stream(PATH) as client:
        client.next()
        broker.publish(log_frame(100, 110, ONE), log_frame(100, 110, TWO))
        events = both(client, 110)
        first_id = client.last_id
    broker.publish(log_frame(110, 150, ONE), log_frame(110, 150, TWO))
    with gateway.stream(PATH, first_id) as again:
        events = [event for event in events if event.name == "frame"]
        later = both(again, 150)
    for stream in (ONE, TWO):
        had = [*lines(events, stream), *lines(later, stream)]
        assert sorted(set(had)) == list(range(100, 150))


def test_it_goes_on_after_the_gateway_was_started_anew(
    broker: ServedBroker, gateway: GatewayUnderTest
) -> None:
    new = Stream("ray", "new")
    with gateway.stream(PATH) as client:
        client.next()
    gateway.stop()
    broker.publish(log_frame(100, 150, ONE), log_frame(100, 150, TWO), log_frame(0, 5, new))
    broker.views[new] = replace(broker.views[new], run=round(time.time() * 1000))
    gateway.start()
    wait_until(lambda: len(gateway.json("/v1/jobs")["jobs"]) == 4, message="they are listed")
    with gateway.stream(PATH, client.last_id) as again:
        events = again.until(lambda event: event.name == "frame" and event.data["job"] == "new")
        broker.publish(log_frame(150, 160, ONE), log_frame(150, 160, TWO))
        events += both(again, 160)
    assert lines(events, ONE) == lines(events, TWO) == list(range(100, 160))
    assert lines(events, new) == list(range(5))


def test_a_job_that_was_over_before_is_not_sent_again(
    broker: ServedBroker, gateway: GatewayUnderTest
) -> None:
    old = Stream("ray", "old")
    with gateway.stream(PATH) as client:
        client.next()
    broker.publish(log_frame(0, 50, old), point_frame("end", 50, old), live=False)
    broker.views[old] = replace(broker.views[old], run=1, last_frame_ts=10**9)
    wait_until(lambda: len(gateway.json("/v1/jobs")["jobs"]) == 4, message="they are listed")
    with gateway.stream(PATH, client.last_id) as again:
        again.next()
        broker.publish(log_frame(100, 110, ONE), log_frame(100, 110, TWO))
        assert lines(both(again, 110), old) == []


def test_only_what_the_token_opens_comes(broker: ServedBroker) -> None:
    bearer = f"Bearer {TOKEN}"
    with GatewayUnderTest([broker], access(jobs=["ray/one"])) as gateway:
        assert gateway.error("/v1/clusters/other/stream", Authorization=bearer)[0] == 403
        with gateway.stream(PATH, Authorization=bearer) as client:
            client.next()
            broker.publish(log_frame(100, 110, TWO), log_frame(100, 110, ONE))
            events = client.until(lambda event: event.name == "frame")
    assert [frame["job"] for frame in frames(events)] == ["one"]


def test_an_id_of_another_stream_is_400(gateway: GatewayUnderTest) -> None:
    status, message = gateway.error(PATH, Last_Event_ID=f"{EPOCH}:10")
    assert (status, "Last-Event-ID" in message) == (400, True)


def test_a_cluster_that_is_no_name_is_400(gateway: GatewayUnderTest) -> None:
    assert gateway.error("/v1/clusters/a%20b/stream")[0] == 400
