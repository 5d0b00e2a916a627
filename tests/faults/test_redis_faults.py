"""Redis or Valkey is killed, comes back empty, hangs, or cuts off who does not read."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from subscribers import Subscription
from tests.support.killable_daemon import KillableDaemon
from tests.support.missing import missing
from tests.support.numbered import Printer
from tests.support.ray_standin import RayStandIn
from tests.support.redis_binaries import redis_binary, valkey_binary
from tests.support.redis_process import RedisProcess
from tests.support.wait import wait_until
from tests.support.witness import RedisWitness, SubscriptionWitness, Witness, ZeromqWitness, agree
from tests.support.witness_process import WitnessProcess

JOBS = ("job-1", "job-12")
CUTS_THE_SLOW = ("--client-output-buffer-limit", "pubsub", "1mb", "1mb", "1")


@pytest.fixture(
    params=[
        pytest.param(valkey_binary, id="valkey"),
        pytest.param(redis_binary, id="redis_server", marks=pytest.mark.slow),
    ]
)
def server(request: pytest.FixtureRequest) -> Iterator[RedisProcess]:
    binary = request.param() or missing("a Redis server is not installed")
    with RedisProcess(binary, *CUTS_THE_SLOW) as server:
        yield server


class Fanout:
    """Jobs that print, a daemon that publishes on both transports, and subscribers of each."""

    def __init__(
        self, standin: RayStandIn, home: Path, server: RedisProcess, stack: ExitStack, rate: float
    ) -> None:
        seed = random.randrange(2**32)
        print(f"{seed=}")  # pytest shows it where the test fails
        self.standin = standin
        self.daemon = stack.enter_context(
            KillableDaemon(
                home,
                standin.url,
                redis=server.url,
                sections={"publish.zeromq": {"hwm": 200}, "limits": {"max_bytes": 1 << 30}},
            )
        )
        frames = Subscription("*", redis=server.url, brokers=self.daemon.http, start="begin")
        self.over_redis = stack.enter_context(SubscriptionWitness("Subscription", frames))
        self.zeromq = stack.enter_context(ZeromqWitness(self.daemon.zeromq))
        self.redis = stack.enter_context(RedisWitness(server.url, lossy=True))
        self.witnesses: tuple[Witness, ...] = (self.over_redis, self.zeromq, self.redis)
        assert self.redis.subscribed.wait(10)
        wait_until(lambda: frames.connected, message="the subscription is confirmed")
        self.printer = stack.enter_context(Printer(standin, random.Random(seed), rate))
        for job in JOBS:
            standin.add_job(job)
            self.printer.add(job)
        for witness in self.witnesses:
            self.go_on(witness)

    def go_on(self, *witnesses: Witness) -> None:
        """They get what is printed from now on."""
        lines = {job: self.printer.lines(job) + 100 for job in JOBS}
        for witness in witnesses:
            for job in JOBS:
                witness.until(job, lines[job])

    def finish(self) -> dict[str, int]:
        """All has come, each line once; how many lines each job has."""
        lines = {job: self.printer.finish(job) for job in JOBS}
        for job in JOBS:
            self.standin.finish(job)
        for job in JOBS:
            agree([self.over_redis, self.zeromq], job, lines[job])
            for witness in (self.over_redis, self.zeromq):
                assert witness.until_end(job).first == lines[job]
        assert not self.over_redis.gaps
        return lines


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_killed_and_back_empty_it_costs_no_line_and_holds_up_nobody(
    standin: RayStandIn, tmp_path: Path, server: RedisProcess, stack: ExitStack
) -> None:
    fanout = Fanout(standin, tmp_path / "a", server, stack, rate=10_000)
    for _ in range(2):
        server.kill()
        fanout.go_on(fanout.zeromq)
        assert fanout.daemon.jobs()[JOBS[0]]["state"] == "streaming"
        server.start()
        fanout.go_on(fanout.over_redis, fanout.redis)
    fanout.finish()
    assert fanout.over_redis.subscription.stats.reconnects == 2


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_paused_it_costs_no_line_and_holds_up_nobody(
    standin: RayStandIn, tmp_path: Path, server: RedisProcess, stack: ExitStack, seconds: int
) -> None:
    fanout = Fanout(standin, tmp_path / "a", server, stack, rate=10_000)
    server.pause()
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            begun = time.monotonic()
            fanout.go_on(fanout.zeromq)
            assert time.monotonic() - begun < 4.0
    finally:
        server.resume()
    fanout.go_on(fanout.over_redis, fanout.redis)
    fanout.finish()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("megabytes", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_a_subscriber_that_reads_nothing_misses_nothing_in_the_end(
    standin: RayStandIn, tmp_path: Path, server: RedisProcess, stack: ExitStack, megabytes: int
) -> None:
    fanout = Fanout(standin, tmp_path / "a", server, stack, rate=50_000)
    http = fanout.daemon.http
    stopped = [
        stack.enter_context(WitnessProcess(redis=server.url, brokers=http)),
        stack.enter_context(WitnessProcess(zeromq=fanout.daemon.zeromq, brokers=http)),
    ]
    for process in stopped:
        process.pause()
    sizes = [standin.log_path(job) for job in JOBS]
    until = sum(path.stat().st_size for path in sizes) + (megabytes << 20)
    while sum(path.stat().st_size for path in sizes) < until:
        fanout.go_on(fanout.over_redis, fanout.zeromq, fanout.redis)
    lines = fanout.finish()
    for process in stopped:
        process.resume()
    wanted = [(job, lines[job], 0, 0) for job in JOBS]
    over_redis, over_zeromq = (process.ask(wanted) for process in stopped)
    assert over_redis["reconnects"] >= 1, "Redis cut it off"
    assert over_zeromq["replays"] > len(JOBS), "ZeroMQ dropped frames"
