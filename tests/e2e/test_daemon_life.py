"""How a daemon starts, stops, and lives with what is broken around it."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from broker.journal.sqlite import SqliteJournal
from broker.topic import Stream
from tests.e2e.conftest import Serve
from tests.support.daemon_process import DaemonProcess
from tests.support.fault_proxy import FaultProxy
from tests.support.plain_subscribers import RedisSubscriber, ZeromqSubscriber
from tests.support.printing_job import PrintingJob
from tests.support.ray_standin import RayStandIn
from tests.support.redis_process import RedisProcess
from tests.support.wait import wait_until

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
TOKEN = "s3cr3t-Tok3n-of-this-test"


# Stopping ----------------------------------------------------------------------------------------


@BOTH
def test_a_signal_ends_it_in_order_with_all_published_that_was_read(
    serve: Serve, standin: RayStandIn, valkey: str, tmp_path: Path, number: signal.Signals
) -> None:
    daemon = serve({"publish.redis.url": valkey})
    with ZeromqSubscriber(daemon.zeromq) as zeromq, RedisSubscriber(valkey) as redis:
        standin.add_job("job-1")  # now both of them hear its status
        with PrintingJob(standin, "job-1"):
            zeromq.until_line("job-1", 5_000)
            assert ended_by(daemon, number) == (0, True)
        read = journaled_lines(tmp_path)
        assert read >= 5_000
        for subscriber in (zeromq, redis):
            subscriber.until_line("job-1", read)
            assert subscriber.lines("job-1") == [f"line {n}" for n in range(read)]
        assert zeromq.payloads("job-1") == redis.payloads("job-1")
        assert zeromq.frames("job-1", "end") == []


def test_in_the_midst_of_a_long_log_it_stops_in_time_and_goes_on_from_there(
    serve: Serve, standin: RayStandIn, tmp_path: Path
) -> None:
    count = 3_000_000
    log = b"".join(b"line %d\n" % n for n in range(count))
    settings: dict[str, object] = {"limits.max_lines": count}
    first = serve(settings)
    with ZeromqSubscriber(first.zeromq) as subscriber:
        standin.add_job("job-1", "SUCCEEDED", log=log)
        subscriber.until_line("job-1", 100_000)
        assert ended_by(first, signal.SIGTERM) == (0, True)
        read = journaled_lines(tmp_path)
        assert 100_000 <= read < count
        subscriber.until_line("job-1", read)
        serve({**settings, "publish.zeromq.bind": first.zeromq})
        subscriber.until("job-1", "end", timeout=60)
        assert subscriber.lines("job-1") == [f"line {n}" for n in range(count)]


def test_one_that_is_started_again_goes_on_with_the_next_line(
    serve: Serve, standin: RayStandIn
) -> None:
    standin.add_job("job-1")
    first = serve()
    with ZeromqSubscriber(first.zeromq) as subscriber, PrintingJob(standin, "job-1") as job:
        subscriber.until_line("job-1", 1_000)
        assert first.stop() == 0
        second = serve({"publish.zeromq.bind": first.zeromq})
        subscriber.until_line("job-1", job.printed)
        job.stop()
        standin.finish("job-1")
        subscriber.until("job-1", "end")
        assert subscriber.lines("job-1") == [f"line {n}" for n in range(job.printed)]
        epochs = {frame["epoch"] for frame in subscriber.frames("job-1", "log")}
        brokers = {frame["broker"] for frame in subscriber.frames("job-1")}
        assert (len(epochs), len(brokers)) == (1, 1)
        assert second.stop() == 0


@BOTH
def test_a_second_signal_ends_it_at_once(
    serve: Serve, standin: RayStandIn, redis_process: RedisProcess, number: signal.Signals
) -> None:
    daemon = with_a_hung_redis(serve, standin, redis_process)
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: daemon.events("stopping"), 5, "the first signal is heard")
    start = time.monotonic()
    daemon.signal(number)
    # Python tells a child that `os._exit` ended from one that a signal ended.
    assert daemon.wait() == 128 + number
    assert time.monotonic() - start < 2.0
    assert daemon.events("stopped") == []


def test_a_redis_that_hangs_does_not_keep_it_from_stopping(
    serve: Serve, standin: RayStandIn, redis_process: RedisProcess
) -> None:
    daemon = with_a_hung_redis(serve, standin, redis_process)
    assert ended_by(daemon, signal.SIGTERM) == (0, True)


@pytest.mark.parametrize("protocol", ["http", "websocket"])
def test_a_ray_that_hangs_does_not_keep_it_from_stopping(
    serve: Serve, standin: RayStandIn, protocol: str
) -> None:
    jobs = [f"job-{n}" for n in range(4)]
    for job in jobs:
        standin.add_job(job, log=b"one\n")
    with proxy_to(standin.url) as dashboard, proxy_to(standin.agent_url) as agent:
        daemon = serve(
            {
                "cluster.default.protocol": protocol,
                "cluster.default.agent_host": f"127.0.0.1:{agent.port}",
            },
            ray=dashboard.url,
        )
        wait_until(
            lambda: all(daemon.jobs().get(job, {}).get("next") == 1 for job in jobs), 10, "a line"
        )
        opened = dashboard.connections + agent.connections
        for proxy in (dashboard, agent):
            proxy.freeze()
            proxy.cut_all()
        wait_until(
            lambda: dashboard.connections + agent.connections >= opened + len(jobs),
            10,
            "requests that no one answers",
        )
        assert ended_by(daemon, signal.SIGTERM) == (0, True)


# What is taken already ---------------------------------------------------------------------------


def test_a_second_daemon_on_its_state_directory_is_refused_with_its_pid(serve: Serve) -> None:
    first = serve()
    second = serve({"state_dir": first.settings["state_dir"]}, home="second", launch=True)
    assert second.wait() == 2
    (line,) = second.output.splitlines()
    assert f"(pid {first.pid})" in line
    assert "state_dir" in line
    assert first.degraded == []


@pytest.mark.parametrize("setting", ["http.bind", "publish.zeromq.bind"])
def test_an_address_in_use_ends_it_with_that_address(serve: Serve, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        bind = f"tcp://{address}" if "zeromq" in setting else address
        daemon = serve({setting: bind}, launch=True)
        assert daemon.wait() == 2
    complaints = [line for line in daemon.output.splitlines() if line.startswith("raytap: ")]
    assert len(complaints) == 1
    assert address in complaints[0]
    assert "in use" in complaints[0]


# Redis -------------------------------------------------------------------------------------------


def test_a_redis_that_is_down_at_the_start_is_said_and_comes_by_itself(
    serve: Serve, standin: RayStandIn, redis_process: RedisProcess
) -> None:
    redis_process.kill()
    standin.add_job("job-1")
    daemon = serve({"publish.redis.url": redis_process.url})
    with ZeromqSubscriber(daemon.zeromq) as zeromq:
        (problem,) = daemon.degraded
        assert problem.startswith("redis: ")
        assert f"127.0.0.1:{redis_process.port}" in problem
        standin.append("job-1", b"one\n")
        zeromq.until_line("job-1", 1)
        redis_process.start()
        wait_until(lambda: daemon.degraded == [], 10, "Redis is back")
        with RedisSubscriber(redis_process.url) as redis:
            standin.append("job-1", b"two\n")
            redis.until_line("job-1", 2)
            zeromq.until_line("job-1", 2)
            assert zeromq.lines("job-1") == ["one", "two"]
            assert redis.payloads("job-1")[-1] == zeromq.payloads("job-1")[-1]


def test_a_redis_that_is_killed_stops_no_zeromq_and_gets_what_waited_when_it_is_back(
    serve: Serve, standin: RayStandIn, redis_process: RedisProcess
) -> None:
    standin.add_job("job-1")
    daemon = serve({"publish.redis.url": redis_process.url})
    with (
        ZeromqSubscriber(daemon.zeromq) as zeromq,
        RedisSubscriber(redis_process.url) as redis,
        PrintingJob(standin, "job-1") as job,
    ):
        redis.until_line("job-1", 500)
        redis_process.kill()
        wait_until(lambda: daemon.degraded, 10, "it says so")
        zeromq.until_line("job-1", job.printed + 1_000)
        before = len(redis.messages())
        redis_process.start()
        wait_until(lambda: daemon.degraded == [], 10, "Redis is back")
        wait_until(lambda: len(redis.messages()) > before, 10, "and its subscriber")
        job.stop()
        standin.finish("job-1")
        for subscriber in (zeromq, redis):
            subscriber.until("job-1", "end")
        assert zeromq.lines("job-1") == [f"line {n}" for n in range(job.printed)]
        # A frame that was under way may have come before the kill and again after it, and what
        # went out before this subscriber was back is lost to it: all others are the same bytes.
        assert set(redis.payloads("job-1")) <= set(zeromq.payloads("job-1"))
        assert redis.payloads("job-1")[-1] == zeromq.payloads("job-1")[-1]


# Ray ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("token", "status"), [("another-Tok3n-4711", 403), (None, 401)])
def test_a_wrong_token_is_said_and_never_shown(
    serve: Serve, tmp_path: Path, token: str | None, status: int
) -> None:
    with RayStandIn(token=TOKEN) as standin:
        standin.add_job("job-1", log=b"one\n")
        settings = {"cluster.default.token_env": "A_TOKEN"} if token else {}
        daemon = serve(settings, ray=standin.url, env={"A_TOKEN": token} if token else {})
        (problem,) = daemon.degraded
        assert problem.startswith("cluster default: ")
        assert str(status) in problem
        assert "/api/" in problem
        (event,) = daemon.events("cluster_unreachable")
        assert event["status"] == 400
        assert daemon.jobs() == {}
        said = everything_said(daemon, tmp_path)
        assert TOKEN not in said
        assert token is None or token not in said


@pytest.mark.parametrize("protocol", ["http", "websocket"])
def test_a_right_token_is_used_everywhere_and_never_shown(
    serve: Serve, tmp_path: Path, protocol: str
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    with RayStandIn(token=TOKEN) as standin:
        standin.add_job("job-1", log=b"one\n")
        daemon = serve(
            {
                "cluster.default.token_file": str(token_file),
                "cluster.default.protocol": protocol,
                "log.level": "debug",
            },
            ray=standin.url,
        )
        wait_until(lambda: daemon.jobs().get("job-1", {}).get("next") == 1, 10, "a line")
        standin.fail_next("/", status=500, times=5)
        standin.append("job-1", b"two\n")
        standin.finish("job-1")
        wait_until(lambda: daemon.jobs()["job-1"]["state"] == "ended", 10, "the end")
        assert daemon.jobs()["job-1"]["complete"]
        token_file.unlink()
        assert TOKEN not in everything_said(daemon, tmp_path)
        assert daemon.stop() == 0
        assert TOKEN not in written(tmp_path)


def test_a_dashboard_that_is_down_at_the_start_is_said_and_found_when_it_is_up(
    serve: Serve, standin: RayStandIn
) -> None:
    standin.add_job("job-1", log=b"one\n")
    standin.dashboard_down()
    daemon = serve()
    (problem,) = daemon.degraded
    assert problem.startswith("cluster default: ")
    assert urlsplit(standin.url).netloc in problem
    assert daemon.events("cluster_unreachable")[0]["status"] == 503
    with ZeromqSubscriber(daemon.zeromq) as subscriber:
        standin.dashboard_up()
        subscriber.until_line("job-1", 1)
        assert subscriber.lines("job-1") == ["one"]
        wait_until(lambda: daemon.degraded == [], 5, "nothing is degraded")
        assert len(daemon.events("cluster_reachable")) == 1


# Which jobs --------------------------------------------------------------------------------------


def test_it_follows_what_runs_at_first_and_whatever_is_new_later(
    serve: Serve, standin: RayStandIn
) -> None:
    standin.add_job("over-before", "SUCCEEDED", log=b"x\n")
    standin.add_job("running", log=b"one\n")
    standin.add_job("pending", "PENDING")
    daemon = serve()
    with ZeromqSubscriber(daemon.zeromq) as subscriber:
        standin.add_job("new", log=b"one\n")
        standin.add_job("new-and-over", "FAILED", log=b"one\n")
        standin.run("pending")
        standin.append("pending", b"one\n")
        standin.append("running", b"two\n")
        for job in ("new", "pending"):
            subscriber.until_line(job, 1)
        subscriber.until_line("running", 2)
        end = subscriber.until("new-and-over", "end")
        assert (end["status"], end["next"]) == ("FAILED", 1)
        assert sorted(daemon.jobs()) == ["new", "new-and-over", "pending", "running"]
        assert b"default/over-before/" not in subscriber.topics()


def test_follow_all_takes_finished_jobs_and_job_picks_them_by_pattern(
    serve: Serve, standin: RayStandIn
) -> None:
    for job in ("train-1", "train-2", "eval-1", "other"):
        standin.add_job(job, "SUCCEEDED", log=b"one\ntwo\n")
    flags = ["--follow", "all", "--job", "train-*", "--job", "default/eval-?", "--job", "x/other"]
    daemon = serve(flags=flags)
    wait_until(
        lambda: [view["state"] for view in daemon.jobs().values()] == ["ended"] * 3, 10, "3 ends"
    )
    assert {(job, view["lines"]) for job, view in daemon.jobs().items()} == {
        ("train-1", 2),
        ("train-2", 2),
        ("eval-1", 2),
    }


def test_the_subscriber_of_one_job_receives_nothing_of_one_whose_id_begins_so(
    serve: Serve, standin: RayStandIn, valkey: str
) -> None:
    for job in ("job-1", "job-12", "job-1-2"):
        standin.add_job(job)
    daemon = serve({"publish.redis.url": valkey})
    topic = b"default/job-1/"
    with (
        ZeromqSubscriber(daemon.zeromq, topic) as zeromq,
        RedisSubscriber(valkey, topics=[topic]) as redis,
        RedisSubscriber(valkey, patterns=[topic + b"*"]) as pattern,
        ZeromqSubscriber(daemon.zeromq) as everything,
    ):
        for job in ("job-12", "job-1-2", "job-1"):
            standin.append(job, f"of {job}\n".encode())
            standin.finish(job)
            everything.until(job, "end")
        for subscriber in (zeromq, redis, pattern):
            subscriber.until("job-1", "end")
            assert subscriber.lines("job-1") == ["of job-1"]
            assert subscriber.topics() == {topic}
        assert len(everything.topics()) == 3


# Helpers -----------------------------------------------------------------------------------------


def ended_by(daemon: DaemonProcess, number: signal.Signals) -> tuple[int, bool]:
    """The exit status, and whether it came in the five seconds that are promised."""
    start = time.monotonic()
    daemon.signal(number)
    status = daemon.wait(20)
    return status, time.monotonic() - start < 5.0


def with_a_hung_redis(
    serve: Serve, standin: RayStandIn, redis_process: RedisProcess
) -> DaemonProcess:
    """A daemon with frames that its Redis does not take."""
    standin.add_job("job-1")
    daemon = serve({"publish.redis.url": redis_process.url})
    with RedisSubscriber(redis_process.url) as redis:
        standin.append("job-1", b"one\n")
        redis.until_line("job-1", 1)
    redis_process.pause()
    with ZeromqSubscriber(daemon.zeromq) as zeromq:
        standin.append("job-1", b"two\n" * 100_000)
        zeromq.until_line("job-1", 100_001)
    return daemon


def journaled_lines(tmp_path: Path) -> int:
    """How many lines of job-1 the daemon read before it stopped, by its checkpoint."""
    path = tmp_path / "daemon" / "state" / "journal.sqlite3"
    journal = SqliteJournal(path, 1 << 30, 1 << 30, 3600)
    with contextlib.closing(journal):
        return journal.checkpoints()[Stream("default", "job-1")].line


def proxy_to(url: str) -> FaultProxy:
    """A proxy in front of a server."""
    parts = urlsplit(url)
    return FaultProxy(parts.hostname or "", parts.port or 0)


def everything_said(daemon: DaemonProcess, home: Path) -> str:
    """All that a running daemon wrote and answers."""
    answers = [daemon.text(path) for path in ("/readyz", "/metrics", "/v1/jobs")]
    return written(home) + "".join(answers)


def written(home: Path) -> str:
    """Every file below a directory: logs, journal, configuration."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files).decode("utf-8", "replace")
