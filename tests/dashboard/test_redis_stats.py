from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from broker.backoff import Backoff
from broker.errors import ClientError
from broker.frame import Frame
from broker.jobview import ErrorView, JobView
from subscribers.dashboard.redis_stats import TTL_MS, RedisStats
from subscribers.dashboard.statistics import Statistics
from tests.support.missing import missing
from tests.support.redis_binaries import redis_binary, valkey_binary
from tests.support.redis_process import RedisProcess
from tests.support.wait import wait_until

FIELDS = {
    *("lines", "bytes", "lines_per_s", "reconnects", "errors", "lag_p50_ms", "lag_p95_ms"),
    *("lag_p99_ms", "status", "updated"),
}
CLUSTER, JOB = "raytap:stats:c", "raytap:stats:c/a"


@pytest.fixture(params=[valkey_binary, redis_binary], ids=["valkey", "redis_server"])
def own_redis(request: pytest.FixtureRequest) -> Iterator[RedisProcess]:
    """A server of the test's own, running."""
    binary = request.param() or missing("no Redis server of this kind")
    with RedisProcess(binary) as server:
        yield server


@pytest.fixture
def statistics() -> Statistics:
    """Of one job that printed and is followed."""
    statistics = Statistics()
    see(statistics, 10)
    follow(statistics)
    return statistics


def see(statistics: Statistics, lines: int) -> None:
    now_ns = time.time_ns()
    log = Frame("log", "c", "a", 0, lines, ts=now_ns - 20_000_000, lines=["x"] * lines)
    statistics.saw(log, 700, 0, time.monotonic(), now_ns)


def follow(statistics: Statistics, **fields: Any) -> None:
    told: dict[str, Any] = {"state": "streaming", "status": "RUNNING", "reconnects": 2} | fields
    errors = [ErrorView(1, 503, "x"), ErrorView(2, 429, "y")]
    statistics.told([JobView("c", "a", errors=errors, **told)], time.monotonic())


@contextlib.contextmanager
def writing(url: str, statistics: Statistics, **options: Any) -> Iterator[RedisStats]:
    options = {"interval": 0.02, "timeout": 0.5} | options
    stats = RedisStats(url, statistics, backoff=Backoff(0.02, 0.02), **options)
    stats.start()
    try:
        yield stats
    finally:
        stats.stop()


@contextlib.contextmanager
def client(url: str) -> Iterator[Any]:
    with contextlib.closing(redis.Redis.from_url(url, decode_responses=True)) as client:
        yield client


def read(client: Any, key: str) -> dict[str, str]:
    found: dict[str, str] = wait_until(lambda: client.hgetall(key), message=f"{key} is there")
    return found


def test_a_job_and_its_cluster_have_a_hash_with_every_field(
    redis_url: str, statistics: Statistics
) -> None:
    with writing(redis_url, statistics), client(redis_url) as there:
        job, cluster = read(there, JOB), read(there, CLUSTER)
        assert set(there.keys()) == {JOB, CLUSTER}
    for fields in (job, cluster):
        assert set(fields) == FIELDS
        assert (fields["lines"], fields["bytes"], fields["reconnects"]) == ("10", "700", "2")
        assert (fields["errors"], fields["status"]) == ("2", "RUNNING")
        assert float(fields["lines_per_s"]) > 0
        for name in ("lag_p50_ms", "lag_p95_ms", "lag_p99_ms"):
            assert float(fields[name]) == pytest.approx(20, rel=0.02)
        assert abs(int(fields["updated"]) / 1000 - time.time()) < 10


def test_what_redis_holds_is_never_older_than_a_second(
    redis_url: str, statistics: Statistics
) -> None:
    ages = []
    default = {"interval": 0.5, "timeout": 2.0}
    with writing(redis_url, statistics, **default) as stats, client(redis_url) as there:
        read(there, JOB)
        until = stats.written + 4  # two rounds of two hashes
        while stats.written < until:
            ages.append(time.time() - int(read(there, JOB)["updated"]) / 1000)
    assert max(ages) <= 1.0


def test_news_come_by_themselves(redis_url: str, statistics: Statistics) -> None:
    with writing(redis_url, statistics), client(redis_url) as there:
        read(there, JOB)
        see(statistics, 5)
        wait_until(lambda: there.hget(JOB, "lines") == "15")


def test_a_job_that_has_no_lag_has_an_empty_one(redis_url: str) -> None:
    statistics = Statistics()
    follow(statistics)
    with writing(redis_url, statistics), client(redis_url) as there:
        fields = read(there, JOB)
    assert set(fields) == FIELDS
    assert fields["lag_p99_ms"] == ""
    assert fields["lines"] == "0"


def test_every_key_expires(redis_url: str, statistics: Statistics) -> None:
    with writing(redis_url, statistics), client(redis_url) as there:
        read(there, CLUSTER)
        for key in (JOB, CLUSTER):
            read(there, key)
            assert 0 < there.pttl(key) <= TTL_MS


def test_a_job_that_is_over_is_not_written_any_more(redis_url: str, statistics: Statistics) -> None:
    ahead = [0.0]
    with (
        writing(redis_url, statistics, clock=lambda: time.monotonic() + ahead[0]) as stats,
        client(redis_url) as there,
    ):
        read(there, JOB)
        follow(statistics, state="ended", status="SUCCEEDED")
        wait_until(lambda: there.hget(JOB, "status") == "SUCCEEDED", message="its end is told")
        ahead[0] = 60.0
        written = stats.written
        wait_until(lambda: stats.written > written + 2)
        there.delete(JOB)
        written = stats.written
        wait_until(lambda: stats.written > written + 2)
        assert there.keys() == [CLUSTER]


def test_more_jobs_than_a_write_takes_are_all_written(redis_url: str) -> None:
    statistics = Statistics()
    views = [JobView("c", f"job-{n}", "streaming") for n in range(450)]
    statistics.told(views, time.monotonic())
    with writing(redis_url, statistics), client(redis_url) as there:
        wait_until(lambda: there.dbsize() == 451)


def test_a_redis_that_was_killed_and_came_back_empty_is_written_again(
    own_redis: RedisProcess, statistics: Statistics
) -> None:
    with writing(own_redis.url, statistics) as stats:
        wait_until(lambda: stats.written > 0)
        own_redis.kill()
        wait_until(lambda: stats.problem)
        own_redis.start()
        wait_until(lambda: not stats.problem)
        with client(own_redis.url) as there:
            assert set(read(there, JOB)) == FIELDS


def test_a_redis_that_hangs_blocks_nobody_and_goes_on(
    own_redis: RedisProcess, statistics: Statistics
) -> None:
    with writing(own_redis.url, statistics) as stats:
        wait_until(lambda: stats.written > 0)
        own_redis.pause()
        see(statistics, 5)  # the feed doesn't wait
        wait_until(lambda: "imeout" in stats.problem)
        own_redis.resume()
        wait_until(lambda: not stats.problem)
        with client(own_redis.url) as there:
            assert read(there, JOB)["lines"] == "15"


def test_it_stops_within_seconds_while_redis_takes_connections_and_says_nothing(
    statistics: Statistics,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        stats = RedisStats(url, statistics, timeout=0.5)
        stats.start()
        connection, _ = silent.accept()
        started = time.monotonic()
        stats.stop()
        connection.close()
    assert time.monotonic() - started < 2.0
    assert "raytap-redis-stats" not in {thread.name for thread in threading.enumerate()}


def test_a_password_is_never_shown(own_redis: RedisProcess, statistics: Statistics) -> None:
    with client(own_redis.url) as there:
        there.config_set("requirepass", "right")
    url = own_redis.url.replace("://", "://:hunter2@")
    with writing(url, statistics) as stats:
        wait_until(lambda: stats.problem)
        assert "hunter2" not in stats.problem


@pytest.mark.parametrize("url", ["", "http://x", "redis://h/x", "unix://"])
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ClientError) as raised:
        RedisStats(url, Statistics())
    assert raised.value.status == 400


def test_stopping_before_the_start_and_twice_does_no_harm() -> None:
    stats = RedisStats("redis://127.0.0.1:1", Statistics())
    stats.stop()
    stats.stop()
