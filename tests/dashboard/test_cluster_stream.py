"""All jobs of a cluster on one stream, and going on with it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from broker.frame import Frame
from broker.topic import Stream
from tests.support.gateway import GatewayUnderTest
from tests.support.journal_records import EPOCH, log_frame, point_frame
from tests.support.permissions import TOKEN, access
from tests.support.served_broker import ServedBroker
from tests.support.sse import Event, SseClient, frames, text
from tests.support.wait import wait_until


class Cluster:
    """One cluster with two jobs of 100 lines."""

    def __init__(self, number: int) -> None:
        self.name = f"ray-{number}"
        self.path = f"/v1/clusters/{self.name}/stream"
        self.one, self.two = self.stream("one"), self.stream("two")

    def stream(self, job: str) -> Stream:
        return Stream(self.name, job)

    def logs(self, first: int, following: int) -> list[Frame]:
        """The same lines of both jobs."""
        return [log_frame(first, following, stream) for stream in (self.one, self.two)]

    def has(self, gateway: GatewayUnderTest, count: int) -> None:
        """Waits until the gateway lists so many jobs of it."""
        path = f"/v1/jobs?cluster={self.name}"
        wait_until(lambda: len(gateway.json(path)["jobs"]) == count, message="they are listed")


CLUSTERS = 10  # each test has one of its own


@pytest.fixture(scope="module")
def broker() -> Iterator[ServedBroker]:
    with ServedBroker() as broker:
        for number in range(CLUSTERS):
            broker.publish(*Cluster(number).logs(0, 100))
        yield broker


@pytest.fixture(scope="module")
def gateway(broker: ServedBroker) -> Iterator[GatewayUnderTest]:
    with GatewayUnderTest([broker]) as gateway:
        Cluster(0).has(gateway, 2)
        yield gateway


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(CLUSTERS))


@pytest.fixture
def cluster(numbers: Iterator[int]) -> Cluster:
    """Of this test alone."""
    return Cluster(next(numbers))


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
        return all(reached.get(job, 0) >= line for job in ("one", "two"))

    return client.until(enough)


def test_every_job_of_the_cluster_comes_and_no_other(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as client:
        assert client.next().name == "state"
        broker.publish(log_frame(100, 110, Cluster(9).one), *cluster.logs(100, 110))
        events = both(client, 110)
    assert {frame["cluster"] for frame in frames(events)} == {cluster.name}
    assert lines(events, cluster.one) == lines(events, cluster.two) == list(range(100, 110))


def test_a_new_job_joins_from_its_first_line(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    new = cluster.stream("new")
    with gateway.stream(cluster.path) as client:
        client.next()
        broker.publish(log_frame(0, 10, new))
        events = client.until(lambda event: event.name == "frame")
    assert lines(events, new) == list(range(10))


def test_a_client_that_comes_back_goes_on_in_every_job(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as client:
        client.next()
        broker.publish(*cluster.logs(100, 110))
        events = both(client, 110)
        first_id = client.last_id
    broker.publish(*cluster.logs(110, 150))
    with gateway.stream(cluster.path, first_id) as again:
        events = [event for event in events if event.name == "frame"]
        later = both(again, 150)
    for stream in (cluster.one, cluster.two):
        had = [*lines(events, stream), *lines(later, stream)]
        assert sorted(set(had)) == list(range(100, 150))


def test_it_goes_on_after_the_gateway_was_started_anew(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    new = cluster.stream("new")
    with gateway.stream(cluster.path) as client:
        client.next()
    gateway.stop()
    broker.publish(*cluster.logs(100, 150), log_frame(0, 5, new))
    broker.views[new] = replace(broker.views[new], run=round(time.time() * 1000))
    gateway.start()
    cluster.has(gateway, 3)
    with gateway.stream(cluster.path, client.last_id) as again:
        events = again.until(lambda event: event.name == "frame" and event.data["job"] == "new")
        broker.publish(*cluster.logs(150, 160))
        events += both(again, 160)
    assert lines(events, cluster.one) == lines(events, cluster.two) == list(range(100, 160))
    assert lines(events, new) == list(range(5))


def test_a_job_that_was_over_before_is_not_sent_again(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    old = cluster.stream("old")
    with gateway.stream(cluster.path) as client:
        client.next()
    broker.publish(log_frame(0, 50, old), point_frame("end", 50, old), live=False)
    broker.views[old] = replace(broker.views[old], run=1, last_frame_ts=10**9)
    cluster.has(gateway, 3)
    with gateway.stream(cluster.path, client.last_id) as again:
        again.next()
        broker.publish(*cluster.logs(100, 110))
        assert lines(both(again, 110), old) == []


def test_only_what_the_token_opens_comes(broker: ServedBroker, cluster: Cluster) -> None:
    bearer = f"Bearer {TOKEN}"
    with GatewayUnderTest([broker], access(jobs=[f"{cluster.name}/one"])) as gateway:
        assert gateway.error("/v1/clusters/other/stream", Authorization=bearer)[0] == 403
        with gateway.stream(cluster.path, Authorization=bearer) as client:
            client.next()
            broker.publish(log_frame(100, 110, cluster.two), log_frame(100, 110, cluster.one))
            events = client.until(lambda event: event.name == "frame")
    assert [frame["job"] for frame in frames(events)] == ["one"]


def test_an_id_of_another_stream_is_400(gateway: GatewayUnderTest, cluster: Cluster) -> None:
    status, message = gateway.error(cluster.path, Last_Event_ID=f"{EPOCH}:10")
    assert (status, "Last-Event-ID" in message) == (400, True)


def test_a_cluster_that_is_no_name_is_400(gateway: GatewayUnderTest) -> None:
    assert gateway.error("/v1/clusters/a%20b/stream")[0] == 400
