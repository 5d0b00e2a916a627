"""All jobs of a cluster on one stream, and going on with it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from broker.frame import Frame
from broker.topic import Stream
from subscribers.dashboard.cluster_id import cluster_id
from subscribers.dashboard.cluster_origins import now_ms
from subscribers.dashboard.positions import Place
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


SECOND, THIRD = "bbbbbbbbbbbb", "dddddddddddd"
CLUSTERS = 20  # each test has one of its own


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


def ends(event: Event, line: int, epoch: str) -> bool:
    """Whether an event goes up to a line of an epoch."""
    return any((frame["epoch"], frame["next"]) == (epoch, line) for frame in frames([event]))


def jobs(gateway: GatewayUnderTest, cluster: Cluster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.json(f"/v1/jobs?cluster={cluster.name}")["jobs"]
    return found


def both(client: SseClient, line: int) -> list[Event]:
    """The events until both jobs stand at that line."""
    return both_from(client, line, [])


def both_from(client: SseClient, line: int, had: list[dict[str, Any]]) -> list[Event]:
    """The same, after these frames."""
    reached = {frame["job"]: frame["next"] for frame in had}

    def enough(event: Event) -> bool:
        for frame in frames([event]):
            reached[frame["job"]] = frame["next"]
        return all(reached.get(job, 0) >= line for job in ("one", "two"))

    return client.until(enough)


def test_every_job_of_the_cluster_comes_and_no_other(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as client:
        assert client.next().name == "state"
        broker.publish(log_frame(100, 110, Cluster(19).one), *cluster.logs(100, 110))
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
        events = client.until(lambda event: frames([event]))
    assert lines(events, new) == list(range(10))


def test_a_client_that_comes_back_goes_on_in_every_job(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as client:
        client.next()
        broker.publish(*cluster.logs(100, 110))
        events = both(client, 110)
    broker.publish(*cluster.logs(110, 150))
    with gateway.stream(cluster.path, client.last_id) as again:
        events += both(again, 150)
    for stream in (cluster.one, cluster.two):
        assert lines(events, stream) == list(range(100, 150))


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
        events = again.until(lambda event: lines([event], new))
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


def test_wherever_a_client_is_cut_off_it_gets_the_rest_and_nothing_twice(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as client:
        client.next()
        for first in range(100, 200, 5):
            broker.publish(*cluster.logs(first, first + 5))
        events = both(client, 200)
    assert all(event.id for event in events)
    for number, event in enumerate(events[:-1], 1):
        with gateway.stream(cluster.path, event.id) as again:
            whole = [*events[:number], *both_from(again, 200, frames(events[:number]))]
        for stream in (cluster.one, cluster.two):
            assert lines(whole, stream) == list(range(100, 200))


def test_ids_of_many_logs_are_a_small_part_of_what_is_sent(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    streams = [cluster.stream(f"job-{number}") for number in range(100)]
    broker.publish(*(log_frame(0, 1, stream) for stream in streams))
    cluster.has(gateway, 102)
    began = time.monotonic()
    with gateway.stream(cluster.path) as client:
        client.next()
        for line in range(1, 21):
            broker.publish(*(log_frame(line, line + 1, stream) for stream in streams))
        events: list[Event] = []
        while sum(frame["next"] == 21 for frame in frames(events)) < 100:
            events.append(client.next())
    took = time.monotonic() - began
    assert len(list(text_of_all(events))) == 100 * 20
    ids = sum(len(event.id) for event in events)
    bodies = sum(len(json.dumps(event.data)) for event in events)
    assert len(events[-1].id) > 1_000
    assert ids < bodies / 8 + (took + 1) * (64 << 10)


def text_of_all(events: list[Event]) -> Iterator[tuple[str, int]]:
    """The job and line of each line, each once."""
    for job in {frame["job"] for frame in frames(events)}:
        mine = [frame for frame in frames(events) if frame["job"] == job]
        yield from ((job, line) for _, line in text(mine))


def test_a_cut_in_the_middle_of_a_replay_repeats_nothing(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as witness:
        begun = witness.next().id
        broker.publish(*cluster.logs(100, 150))
        both(witness, 150)
    with gateway.stream(cluster.path, begun) as client:
        events = client.until(lambda event: frames([event]))
        assert len({frame["job"] for frame in frames(events)}) == 1
    with gateway.stream(cluster.path, client.last_id) as again:
        events += both_from(again, 150, frames(events))
    for stream in (cluster.one, cluster.two):
        assert lines(events, stream) == list(range(100, 150))


def test_a_file_that_came_and_went_while_the_client_was_away_is_delivered(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as client:
        begun = client.next().id
    gateway.stop()
    broker.publish(log_frame(100, 110, cluster.one))
    for epoch in (SECOND, THIRD):
        broker.publish(point_frame("reset", 0, cluster.one, epoch=epoch))
        broker.publish(log_frame(0, 20, cluster.one, epoch=epoch))
    gateway.start()
    cluster.has(gateway, 2)
    with gateway.stream(cluster.path, begun) as again:
        events = again.until(lambda event: ends(event, 20, THIRD))
    had = list(text(frames(events)))
    assert had == [
        *((EPOCH, line) for line in range(100, 110)),
        *((epoch, line) for epoch in (SECOND, THIRD) for line in range(20)),
    ]


def test_a_log_that_began_to_print_while_all_were_away_comes_whole(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    quiet = cluster.stream("quiet")
    with gateway.stream(cluster.path) as client:
        begun = client.next().id
    broker.publish(log_frame(0, 10, quiet), live=False)
    broker.views[quiet] = replace(broker.views[quiet], run=1)  # started long ago
    cluster.has(gateway, 3)
    with gateway.stream(cluster.path, begun) as again:
        events = again.until(lambda event: ends(event, 10, EPOCH))
    assert lines(events, quiet) == list(range(10))


def test_a_log_that_no_broker_lists_any_more_is_gone_on_with(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as witness, gateway.stream(cluster.path) as client:
        begun = client.next().id
        broker.publish(log_frame(100, 110, cluster.one))
        witness.until(lambda event: ends(event, 110, EPOCH))
    del broker.views[cluster.one]
    cluster.has(gateway, 1)
    with gateway.stream(cluster.path, begun) as again:
        events = again.until(lambda event: ends(event, 110, EPOCH))
    assert lines(events, cluster.one) == list(range(100, 110))


def test_a_file_that_no_journal_has_any_more_is_told(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    gone = cluster_id([(Place(cluster.one, "cccccccccccc"), 12, False)], now_ms(), full=False)
    with gateway.stream(cluster.path, gone) as client:
        events = client.until(lambda event: ends(event, 100, EPOCH))
    error, *others = frames(events)
    assert (error["kind"], error["job"], error["code"]) == ("error", "one", 404)
    assert lines(events, cluster.one) == list(range(100))
    assert "error" not in {frame["kind"] for frame in others}


def test_a_gateway_that_was_just_started_waits_for_a_broker_that_is_not_there_yet(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as client:
        begun = client.next().id
    gateway.stop()
    broker.publish(*cluster.logs(100, 110))
    broker.http_stop()
    gateway.start()
    with gateway.stream(cluster.path, begun) as again:
        wait_until(lambda: gateway.json("/v1/clients")["clients"], message="it has asked")
        broker.http_up()
        events = both(again, 110)
    for stream in (cluster.one, cluster.two):
        assert lines(events, stream) == list(range(100, 110))


def test_a_log_that_turns_up_later_is_gone_on_with_where_the_id_was(
    broker: ServedBroker, gateway: GatewayUnderTest, cluster: Cluster
) -> None:
    with gateway.stream(cluster.path) as client:
        begun = client.next().id
    gateway.stop()
    broker.publish(*cluster.logs(100, 110))
    views = [broker.views.pop(stream) for stream in (cluster.one, cluster.two)]
    gateway.start()
    with gateway.stream(cluster.path, begun) as again:
        events = again.until(lambda event: frames([event]))
        broker.views |= {Stream(view.cluster, view.job): view for view in views}
        broker.publish(*cluster.logs(110, 120))
        events += both(again, 120)
    error = frames(events)[0]
    assert (error["kind"], error["job"], error["code"]) == ("error", "", 404)
    assert "2 logs" in error["message"]
    for stream in (cluster.one, cluster.two):
        assert lines(events, stream) == list(range(100, 120))


def test_lines_that_may_come_again_for_want_of_room_in_the_id_are_told(
    broker: ServedBroker,
    gateway: GatewayUnderTest,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("subscribers.dashboard.pouring.MOST_PLACES", 1)
    with gateway.stream(cluster.path) as client:
        client.next()
        broker.publish(*cluster.logs(100, 110))
        both(client, 110)
    broker.publish(*cluster.logs(110, 120))
    now = time.time_ns()
    for stream in (cluster.one, cluster.two):
        broker.views[stream] = replace(broker.views[stream], last_frame_ts=now)
    wait_until(
        lambda: all(job["last_frame_ts"] == now for job in jobs(gateway, cluster)),
        message="the broker says that both printed",
    )
    with gateway.stream(cluster.path, client.last_id) as again:
        events = both(again, 120)
    (told,) = [event.data for event in events if event.name == "again"]
    assert told["job"] == "one"
    assert (told["cluster"], told["epoch"], told["first"]) == (cluster.name, EPOCH, 0)
    assert lines(events, cluster.one) == list(range(120))
    assert lines(events, cluster.two) == list(range(110, 120))
    assert [event.name for event in events].index("again") == 1


def test_only_what_the_token_opens_comes(broker: ServedBroker, cluster: Cluster) -> None:
    bearer = f"Bearer {TOKEN}"
    with GatewayUnderTest([broker], access(jobs=[f"{cluster.name}/one"])) as gateway:
        assert gateway.error("/v1/clusters/other/stream", Authorization=bearer)[0] == 403
        with gateway.stream(cluster.path, Authorization=bearer) as client:
            client.next()
            broker.publish(log_frame(100, 110, cluster.two), log_frame(100, 110, cluster.one))
            events = client.until(lambda event: frames([event]))
    assert [frame["job"] for frame in frames(events)] == ["one"]


def test_an_id_of_another_stream_is_400(gateway: GatewayUnderTest, cluster: Cluster) -> None:
    status, message = gateway.error(cluster.path, Last_Event_ID=f"{EPOCH}:10")
    assert (status, "Last-Event-ID" in message) == (400, True)


def test_a_cluster_that_is_no_name_is_400(gateway: GatewayUnderTest) -> None:
    assert gateway.error("/v1/clusters/a%20b/stream")[0] == 400
