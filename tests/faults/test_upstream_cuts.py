"""The way from Ray to the daemon is cut at random bytes: no line is lost, none comes twice."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
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
DASHBOARDS = 8  # one that was cut is left alone for 2 s
JOB = "job-1"
HEADERS = 500  # bytes within which a cut leaves nothing of the log


class Upstream:
    """A job that prints, and proxies between it and a daemon with its subscribers."""

    def __init__(self, standin: RayStandIn, home: Path, protocol: str, stack: ExitStack) -> None:
        seed = random.randrange(2**32)
        print(f"{seed=}")  # pytest shows it where the test fails
        self.rng = random.Random(seed)
        self.standin = standin
        self.agent = stack.enter_context(_proxy_to(standin.agent.port))
        self.dashboards = [
            stack.enter_context(_proxy_to(standin.dashboard.port)) for _ in range(DASHBOARDS)
        ]
        cluster = {
            "endpoints": [dashboard.url for dashboard in self.dashboards],
            "agent_host": urlsplit(self.agent.url).netloc,
            "protocol": protocol,
        }
        self.daemon = stack.enter_context(KillableDaemon(home, standin.url, cluster=cluster))
        frames = Subscription("*", zeromq=self.daemon.zeromq, brokers=self.daemon.http)
        self.witnesses: tuple[Witness, ...] = (
            stack.enter_context(SubscriptionWitness("Subscription", frames)),
            stack.enter_context(ZeromqWitness(self.daemon.zeromq)),
        )
        self.printer = stack.enter_context(Printer(standin, random.Random(seed), rate=5_000))
        wait_until(lambda: frames.connected, message="the subscriber joins")
        standin.add_job(JOB)
        self.printer.add(JOB)
        self.until_line(3_000)

    @property
    def source(self) -> str:
        """Where the lines come from now."""
        return str(self.daemon.jobs()[JOB]["source"])

    def until_line(self, line: int) -> None:
        """Every subscriber has the lines before it."""
        for witness in self.witnesses:
            witness.until(JOB, line)

    def cut(self, *proxies: FaultProxy, most: int, reset: bool = False) -> None:
        """Connections are cut after 1 to `most` bytes, until there were 20 cuts."""
        target = _cuts(proxies) + CUTS

        def counts() -> Iterator[int | None]:
            while _cuts(proxies) < target:
                yield self.rng.randint(1, most)
                yield self.rng.randint(1, HEADERS)

        per_proxy = counts()
        for proxy in proxies:
            proxy.reset = reset
            proxy.cut_after = per_proxy
        for proxy in proxies:
            proxy.cut_all()  # those that are open have no count
        wait_until(lambda: _cuts(proxies) >= target, 60, f"{CUTS} cuts")
        self.until_line(self.printer.lines(JOB))

    def log_size(self) -> int:
        """In bytes."""
        return self.standin.log_path(JOB).stat().st_size

    def finish(self) -> None:
        """All of it has come, once, and the end too."""
        lines = self.printer.finish(JOB)
        self.standin.finish(JOB)
        agree(self.witnesses, JOB, lines)
        for witness in self.witnesses:
            end = witness.until_end(JOB)
            assert (end.first, end.complete) == (lines, True)
            assert (witness.resets, witness.gaps) == ([], [])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_byte_ranges_from_the_agent_are_cut_20_times(
    standin: RayStandIn, tmp_path: Path, stack: ExitStack
) -> None:
    upstream = Upstream(standin, tmp_path / "a", "http", stack)
    upstream.cut(upstream.agent, most=30_000)
    assert upstream.source == "agent"
    upstream.finish()


def test_whole_files_from_the_dashboard_are_cut_20_times(
    standin: RayStandIn, tmp_path: Path, stack: ExitStack
) -> None:
    standin.agent_down()
    upstream = Upstream(standin, tmp_path / "a", "http", stack)
    upstream.cut(*upstream.dashboards, most=upstream.log_size())
    assert upstream.source == "state-file"
    upstream.finish()


def test_websockets_are_cut_20_times(standin: RayStandIn, tmp_path: Path, stack: ExitStack) -> None:
    upstream = Upstream(standin, tmp_path / "a", "websocket", stack)
    upstream.cut(*upstream.dashboards, most=upstream.log_size())
    upstream.finish()


def test_the_way_changes_from_agent_to_dashboard_and_each_is_cut(
    standin: RayStandIn, tmp_path: Path, stack: ExitStack
) -> None:
    upstream = Upstream(standin, tmp_path / "a", "auto", stack)
    assert upstream.source == "agent"
    upstream.cut(upstream.agent, most=30_000)
    for dashboard in upstream.dashboards:
        dashboard.delay = 0.02  # reading whole files takes long: better a websocket
    upstream.agent.refuse()
    upstream.agent.cut_all()
    wait_until(lambda: upstream.source == "websocket", 30, "a websocket is used")
    upstream.cut(*upstream.dashboards, most=upstream.log_size(), reset=True)
    for dashboard in upstream.dashboards:
        dashboard.delay = 0.0
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


def _cuts(proxies: Iterable[FaultProxy]) -> int:
    return sum(proxy.cuts for proxy in proxies)


def _proxy_to(port: int) -> FaultProxy:
    return FaultProxy("127.0.0.1", port)
