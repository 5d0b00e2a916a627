"""What befalls a real Ray: a stream never ends before its job does, and `jobs` tells the truth."""

from __future__ import annotations

import os
import random
import re
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from broker.errors import ClientError
from broker.processes.localray import LocalRay
from subscribers import Subscription
from tests.support.followed import log_of
from tests.support.killable_daemon import KillableDaemon
from tests.support.wait import wait_until
from tests.support.witness import SubscriptionWitness, Witness, ZeromqWitness

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]


class Listening:
    """A daemon on a real head, a `Subscription` and a plain ZeroMQ subscriber."""

    def __init__(self, head: LocalRay, home: Path, stack: ExitStack, settle: float = 1.5) -> None:
        self.head = head
        cluster = {"follow": "running", "settle": settle, "poll_interval_max": 0.5}
        self.daemon = stack.enter_context(KillableDaemon(home, head.url, cluster=cluster))
        frames = Subscription(
            "*", zeromq=self.daemon.zeromq, brokers=self.daemon.http, start="begin"
        )
        self.witnesses: tuple[Witness, ...] = (
            stack.enter_context(SubscriptionWitness("Subscription", frames, keep=True)),
            stack.enter_context(ZeromqWitness(self.daemon.zeromq, keep=True)),
        )
        wait_until(lambda: frames.connected, message="the subscriber joins")

    def submit(self, lines: int, job: str = "") -> str:
        """A job that prints 200 lines a second; it and its first lines have come."""
        code = (
            f"import time\nfor n in range({lines}): print('line', n, flush=True); time.sleep(.005)"
        )
        job = self.head.submit(f'python3 -c "{code}"', job or f"job-{uuid.uuid4().hex[:8]}")
        for witness in self.witnesses:
            witness.until(job, 20)
        return job

    def until_progress(self, job: str) -> None:
        """Lines that are printed from now on have come."""
        line = len(log_of(self.head.log_path(job)))
        for witness in self.witnesses:
            witness.until(job, line + 20)

    def row(self, job: str) -> dict[str, Any]:
        """What `jobs` tells of it."""
        return self.daemon.jobs()[job]

    def assert_whole(self, job: str, status: str) -> None:
        """It ended as Ray says, and all that is in its log has come."""
        for witness in self.witnesses:
            end = witness.until_end(job)
            assert (end.status, end.complete) == (status, True)
        log = log_of(self.head.log_path(job))
        for witness in self.witnesses:
            (epoch,) = witness.epochs(job)
            texts = witness.texts[job, epoch]
            assert len(texts) == len(log)
            assert _printed(texts) == list(range(len(_printed(log))))
            assert not any(frame.job == job for frame in witness.gaps + witness.resets)
        row = self.row(job)
        assert (row["state"], row["status"], row["complete"]) == ("ended", status, True)
        assert row["next"] == len(log)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_killed_job_head_ends_no_stream(
    ray_head: LocalRay, tmp_path: Path, stack: ExitStack
) -> None:
    listening = Listening(ray_head, tmp_path / "a", stack)
    job = listening.submit(600)
    (pid,) = ray_head.pids("JobHead")
    os.kill(pid, signal.SIGKILL)
    listening.until_progress(job)
    assert not any(witness.ends for witness in listening.witnesses)
    assert listening.row(job)["status"] == "RUNNING"
    wait_until(lambda: ray_head.pids("JobHead") not in ([pid], []), 20, "another JobHead")
    wait_until(lambda: _answers(ray_head, job), 20, "the Jobs API is back")
    listening.assert_whole(job, "SUCCEEDED")


def test_a_job_that_is_stopped_ends_as_stopped(
    ray_head: LocalRay, tmp_path: Path, stack: ExitStack
) -> None:
    listening = Listening(ray_head, tmp_path / "a", stack)
    job = listening.submit(100_000)
    assert listening.row(job)["status"] == "RUNNING"
    assert _request(ray_head, "POST", f"/api/jobs/{job}/stop") == 200
    listening.assert_whole(job, "STOPPED")


def test_a_job_that_is_deleted_before_its_end_was_published_is_read_to_it(
    ray_head: LocalRay, tmp_path: Path, stack: ExitStack
) -> None:
    listening = Listening(ray_head, tmp_path / "a", stack, settle=6.0)
    job = listening.submit(100)
    ended = ray_head.wait(job)["end_time"] / 1000
    # Ray looks once more a second later: a job deleted by then comes back as FAILED.
    wait_until(lambda: time.time() > ended + 3.0, message="Ray is done with the job")
    assert not any(witness.ends for witness in listening.witnesses)
    assert _request(ray_head, "DELETE", f"/api/jobs/{job}") == 200
    listening.assert_whole(job, "SUCCEEDED")


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_the_daemon_is_killed_beside_a_real_head(
    ray_head: LocalRay, tmp_path: Path, stack: ExitStack, kills: int
) -> None:
    seed = random.randrange(2**32)
    print(f"{seed=}")  # pytest shows it where the test fails
    rng = random.Random(seed)
    listening = Listening(ray_head, tmp_path / "a", stack)
    job = listening.submit(300 + 500 * kills)
    for _ in range(kills):
        time.sleep(rng.uniform(0.0, 2.5))
        listening.daemon.kill()
        listening.daemon.spawn()
    listening.daemon.until_ready()
    listening.assert_whole(job, "SUCCEEDED")


@pytest.mark.parametrize(
    "how",
    ["dashboard", *(pytest.param(how, marks=pytest.mark.slow) for how in ("agent", "stop"))],
)
def test_a_head_that_is_gone_ends_no_stream_and_another_one_s_jobs_are_followed(
    tmp_path: Path, stack: ExitStack, how: str
) -> None:
    """A killed dashboard takes the whole head with it, and a killed agent its raylet."""
    head = stack.enter_context(LocalRay())
    listening = Listening(head, tmp_path / "a", stack)
    job = listening.submit(100_000)
    if how != "stop":
        os.kill(head.pids(how)[0], signal.SIGKILL)
        wait_until(lambda: not head.pids("raylet"), 60, "the raylet goes down with it")
    else:
        head.stop()
    wait_until(lambda: listening.row(job)["state"] == "reconnecting", 30, "`jobs` says so")
    assert listening.row(job)["status"] == "RUNNING"  # Ray's last word on it
    head.stop()
    head.start()  # on the same port, with another session, and no jobs
    other = listening.submit(100)
    again = listening.submit(100, job)  # the same id is another log there
    assert again == job
    listening.assert_whole(other, "SUCCEEDED")
    for witness in listening.witnesses:
        end = witness.until_end(job)
        first, second = witness.epochs(job)
        assert (end.epoch, end.status, end.complete) == (second, "SUCCEEDED", True)
        for epoch in (first, second):
            printed = _printed(witness.texts[job, epoch])
            assert printed == list(range(len(printed)))
        assert len(witness.texts[job, second]) == len(log_of(head.log_path(job)))
        assert [reset.epoch for reset in witness.resets] == [second]
        assert {end.status for end in witness.ends} == {"SUCCEEDED"}


def _printed(lines: list[str]) -> list[int]:
    """The numbers that the job printed; Ray's own lines are left out."""
    found = (re.fullmatch(r"line (\d+)", line) for line in lines)
    return [int(match[1]) for match in found if match]


def _answers(head: LocalRay, job: str) -> bool:
    try:
        head.job(job)
    except ClientError:
        return False
    return True


def _request(head: LocalRay, method: str, path: str) -> int:
    import urllib3

    answer = urllib3.request(method, head.url + path, retries=False, timeout=20.0)
    return answer.status
