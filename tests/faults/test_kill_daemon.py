"""`kill -9` of the daemon at random moments under load."""

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
from tests.support.witness import SubscriptionWitness, ZeromqWitness, agree

JOBS = ("job-1", "job-12", "job-3")


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
def test_killed_at_random_moments_it_goes_on_with_the_same_epochs_and_numbers(
    standin: RayStandIn, tmp_path: Path, kills: int
) -> None:
    seed = random.randrange(2**32)
    print(f"{seed=}")  # pytest shows it where the test fails
    rng = random.Random(seed)
    with ExitStack() as stack:
        daemon = stack.enter_context(KillableDaemon(tmp_path / "a", standin.url))
        frames = Subscription("*", zeromq=daemon.zeromq, brokers=daemon.http, start="begin")
        witnesses = (
            stack.enter_context(SubscriptionWitness("Subscription", frames)),
            stack.enter_context(ZeromqWitness(daemon.zeromq)),
        )
        printer = stack.enter_context(Printer(standin, random.Random(seed)))
        for job in JOBS:
            standin.add_job(job)
            printer.add(job)
        for witness in witnesses:
            witness.until(JOBS[0], 1)
        for _ in range(kills):
            time.sleep(rng.uniform(0.0, 2.5))  # counted from the spawn: it may not be up yet
            daemon.kill()
            daemon.spawn()
        daemon.until_ready()
        lines = {job: printer.finish(job) for job in JOBS}
        for job in JOBS:
            standin.finish(job)
        for job in JOBS:
            agree(witnesses, job, lines[job])
            for witness in witnesses:
                end = witness.until_end(job)
                assert (end.first, end.complete, end.status) == (lines[job], True, "SUCCEEDED")
        assert daemon.starts == kills + 1
        assert daemon.stop() == 0
        assert not any(witness.resets or witness.gaps for witness in witnesses)
