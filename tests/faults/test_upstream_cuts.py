"""The way from Ray to the daemon is cut at random bytes: no line is lost, none comes twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from subscribers import Subscription
from tests.support.fault_proxy import FaultProxy
from tests.support.followed import Followed, log_of
from tests.support.killable_daemon import KillableDaemon
from tests.support.numbered import Printer
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until
from tests.support.witness import SubscriptionWitness, Witness, ZeromqWitness, agree

CUTS = 20
JOBS = ("job-1", "job-12", "job-2", "job-3")
HEADERS = 500  # bytes within which a cut leaves nothing of the log


class Upstream:
    """Jobs that print, and two proxies between them and a daemon with its subscribers."""

    def __init__(self, standin: RayStandIn, home: Path, protocol: str, stack: ExitStack) -> None:
        seed = random.randrange(2**32)
        print(f"{seed=}")  # pytest shows it where the test fails
        self.rng = random.Random(seed)
        self.standin = standin
        self.dashboard = stack.enter_context(_proxy_to(standin.dashboard.port))
        self.agent = stack.enter_context(_proxy_to(standin.agent.port))
        cluster = {"protocol": protocol, "agent_host": urlsplit(self.agent.url).netloc}
        self.daemon = stack.enter_context(KillableDaemon(home, self.dashboard.url, cluster=cluster))
        frames = Subscription("*", zeromq=self.daemon.zeromq, brokers=self.daemon.http)
        self.witnesses: tuple[Witness, ...] = (
            stack.enter_context(SubscriptionWitness("Subscription", frames)),
            stack.enter_context(ZeromqWitness(self.daemon.zeromq)),
        )
        self.printer = stack.enter_context(Printer(standin, random.Random(seed), rate=20_000))
        wait_until(lambda: frames.connected, message="the subscriber joins")
        for job in JOBS:
            standin.add_job(job)
            self.printer.add(job)
        self.until_lines(2_000)

    @property
    def cuts(self) -> int:
        return self.dashboard.cuts + self.agent.cuts

    def sources(self) -> set[str]:
        """Where the lines come from now."""
        return {str(row["source"]) for row in self.daemon.jobs().values()}

    def size(self) -> int:
        """Of one of the logs, in bytes."""
        return self.standin.log_path(JOBS[0]).stat().st_size

    def until_lines(self, lines: int) -> None:
        """Every subscriber has so many of each job."""
        for witness in self.witnesses:
            for job in JOBS:
                witness.until(job, lines)

    def cut(self, proxy: FaultProxy, most: int, *, reset: bool = False) -> None:
        """Connections are cut after 1 to `most` bytes, until there were 20 cuts."""
        target = self.cuts + CUTS

        def counts() -> Iterator[int | None]:
            while self.cuts < target:
                yield self.rng.choice((1, HEADERS)) * self.rng.randint(1, max(1, most // HEADERS))

        proxy.reset = reset
        proxy.cut_after = counts()
        proxy.cut_all()  # those that are open have no count
        wait_until(lambda: self.cuts >= target, 60, f"{CUTS} cuts")
        self.until_lines(max(self.printer.lines(job) for job in JOBS))

    def finish(self) -> None:
        """All of it has come, once, and the ends too."""
        lines = {job: self.printer.finish(job) for job in JOBS}
        for job in JOBS:
            self.standin.finish(job)
        for job in JOBS:
            agree(self.witnesses, job, lines[job])
            for witness in self.witnesses:
                end = witness.until_end(job)
                assert (end.first, end.complete) == (lines[job], True)
                assert not (witness.resets or witness.gaps)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_byte_ranges_from_the_agent_are_cut_20_times(
    standin: RayStandIn, tmp_path: Path, stack: ExitStack, reset: bool
) -> None:
    upstream = Upstream(standin, tmp_path / "a", "http", stack)
    upstream.cut(upstream.agent, 30_000, reset=reset)
    upstream.finish()


def test_whole_files_from_the_dashboard_are_cut_20_times(
    standin: RayStandIn, tmp_path: Path, stack: ExitStack
) -> None:
    standin.agent_down()
    upstream = Upstream(standin, tmp_path / "a", "http", stack)
    assert upstream.sources() == {"state-file"}
    upstream.cut(upstream.dashboard, upstream.size())
    upstream.finish()


def test_websockets_are_cut_20_times(
    standin: RayStandIn, tmp_path: Path, stack: ExitStack
) -> None:
    upstream = Upstream(standin, tmp_path / "a", "websocket", stack)
    assert upstream.sources() == {"websocket"}
    upstream.cut(upstream.dashboard, upstream.size())
    upstream.finish()


def test_the_way_changes_from_agent_to_dashboard_and_each_is_cut(
    standin: RayStandIn, tmp_path: Path, stack: ExitStack
) -> None:
    upstream = Upstream(standin, tmp_path / "a", "auto", stack)
    assert upstream.sources() == {"agent"}
    upstream.cut(upstream.agent, 30_000)
    upstream.dashboard.delay = 0.1  # reading whole files takes long: better a websocket
    upstream.agent.refuse()
    upstream.agent.cut_all()
    wait_until(lambda: upstream.sources() == {"websocket"}, 30, "websockets are used")
    upstream.cut(upstream.dashboard, upstream.size(), reset=True)
    upstream.dashboard.delay = 0.0
    upstream.finish()


def test_what_follows_a_change_of_source_comes_in_large_frames(standin: RayStandIn) -> None:
    """A frame for each line would fill the outboxes, which then drop frames."""
    log = b"".join(b"line %d\n" % number for number in range(20_000))
    standin.add_job("job-1", log=log[:1_000])
    with Followed(standin.url) as followed:
        followed.until_lines("job-1", 100)
        standin.agent_down()
        standin.append("job-1", log[1_000:])
        followed.until_lines("job-1", 20_000)
        assert followed.lines("job-1") == log_of(standin.log_path("job-1"))
        assert len(followed.frames("job-1", "log")) < 20


def _proxy_to(port: int) -> FaultProxy:
    return FaultProxy("127.0.0.1", port)
