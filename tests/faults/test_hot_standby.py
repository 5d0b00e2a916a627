"""Two daemons on one cluster, one subscriber to both, and either of them is killed."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from subscribers import Subscription
from tests.support.killable_daemon import KillableDaemon
from tests.support.numbered import Printer
from tests.support.ray_standin import RayStandIn
from tests.support.witness import SubscriptionWitness, agree

JOBS = ("job-1", "job-12", "job-3")


@pytest.mark.parametrize("first", [0, 1])
def test_either_may_be_killed_and_nothing_is_lost_repeated_or_late(
    standin: RayStandIn, tmp_path: Path, first: int
) -> None:
    seed = random.randrange(2**32)
    print(f"{seed=}")  # pytest shows it where the test fails
    with ExitStack() as stack:
        # With such heartbeats, one that waited to miss two would be far too late.
        seldom = {"heartbeat_interval": 15.0}
        daemons = [
            stack.enter_context(KillableDaemon(tmp_path / name, standin.url, cluster=seldom))
            for name in "ab"
        ]
        frames = Subscription(
            "*",
            zeromq=[daemon.zeromq for daemon in daemons],
            brokers=[daemon.http for daemon in daemons],
            start="begin",
        )
        witness = stack.enter_context(SubscriptionWitness("Subscription", frames))
        printer = stack.enter_context(Printer(standin, random.Random(seed)))
        for job in JOBS:
            standin.add_job(job)
            printer.add(job)
        for daemon in (daemons[first], daemons[1 - first]):
            witness.until(JOBS[-1], printer.lines(JOBS[-1]) + 500)
            daemon.kill()
            killed = time.monotonic()
            line = printer.lines(JOBS[0]) + 1  # printed after the kill: the other one brings it
            witness.until(JOBS[0], line)
            assert time.monotonic() - killed < 10.0
            daemon.start()
        lines = {job: printer.finish(job) for job in JOBS}
        for job in JOBS:
            standin.finish(job)
        for job in JOBS:
            agree([witness], job, lines[job])
            assert witness.until_end(job).complete
        assert frames.stats.repeats > 0, "both were heard"
