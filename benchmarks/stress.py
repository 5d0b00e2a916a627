"""A seeded run of all faults at once, which checks itself.

    python -m benchmarks.stress --seed 1 --seconds 60 --jobs 50

Two daemons read two stand-ins for Ray, one by byte ranges and one over websockets, through proxies
that misbehave. One of the daemons is killed and restarted, the other is not; both publish to a
Redis that dies, hangs and comes back empty. Jobs print numbered lines, end, are submitted again,
and have their logs truncated. Subscribers check every line: each once and in order (or, without
raytap's client, no hole), with the right text, to the right end; some stop reading for a while.
At last nothing may have leaked. Exit status 1, with what was wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.stress_faults import Faults
from tests.support.fault_proxy import FaultProxy
from tests.support.killable_daemon import KillableDaemon
from tests.support.numbered import Printer
from tests.support.process_usage import Usage, usage_of
from tests.support.ray_standin import RayStandIn
from tests.support.redis_binaries import redis_binary, valkey_binary
from tests.support.redis_process import RedisProcess
from tests.support.wait import wait_until
from tests.support.witness import Witness, ZeromqWitness, complete
from tests.support.witness_process import WitnessProcess

GROWTH: Final = 10 << 20  # bytes that memory may grow by after the warm-up
SLACK: Final = 16  # threads and files that pools may open later; there are hundreds of faults
RATE: Final = 5_000  # lines a second in all
TAILS: Final = 5  # jobs that are read over websockets
REPLAYS: Final = 16  # asked for at a time while it warms up; the daemon answers 8
WARM: Final = 1.0  # seconds of them
EASE: Final = 0.6  # seconds between two faults, at most


class Run:
    """Everything that takes part, until its stack is closed."""

    def __init__(self, seed: int, jobs: int, home: Path, stack: ExitStack) -> None:
        self.rng = random.Random(seed)
        files, tails = (stack.enter_context(RayStandIn()) for _ in range(2))
        self.redis = stack.enter_context(RedisProcess(redis_binary() or valkey_binary()))
        proxies: list[FaultProxy] = []
        self.daemons = [
            stack.enter_context(_daemon(home / name, files, tails, self.redis, proxies, stack))
            for name in ("steady", "doomed")
        ]
        steady, doomed = self.daemons
        both = f"{steady.http},{doomed.http}"
        self.steady = stack.enter_context(
            WitnessProcess("both daemons", zeromq=_endpoints(self.daemons), brokers=both)
        )
        slow = [
            stack.enter_context(
                WitnessProcess("one daemon", zeromq=doomed.zeromq, brokers=doomed.http)
            ),
            stack.enter_context(WitnessProcess("Redis", redis=self.redis.url, brokers=both)),
        ]
        self.processes = [self.steady, *slow]
        self.plain: list[Witness] = [
            stack.enter_context(ZeromqWitness(daemon.zeromq)) for daemon in self.daemons
        ]
        self.printer = stack.enter_context(Printer(_Logs(files, tails), self.rng, RATE))
        named = {f"job-{number}": files for number in range(max(1, jobs - TAILS))}
        self.faults = Faults(
            random.Random(seed + 1),
            doomed,
            [files, tails],
            proxies,
            self.redis,
            slow,
            self.printer,
            named | {f"tail-{number}": tails for number in range(min(TAILS, jobs))},
            list(named),
        )

    def go(self, seconds: float) -> None:
        """Warm up, break things for the rest of the time, mend all, and check."""
        begun = time.monotonic()
        self.faults.begin()
        self._strike_until(begun + seconds / 2)
        self._warm_up()
        before = self._usages()
        self._strike_until(begun + seconds)
        wanted = [(job, *rest) for job, rest in self.faults.mend().items()]
        self.daemons[1].until_ready()
        for process in self.processes:
            stats = process.ask(wanted)
            print(f"{process.name}: {stats}")
        for witness in self.plain:
            for job in wanted:
                complete(witness, *job)
            print(f"{witness.name}: {witness.lines:,} lines, {witness.repeats:,} repeats")
        for name, after in self._usages().items():
            print(f"{name}: {_shown(before[name])} → {_shown(after)}")
            _assert_no_growth(name, before[name], after)

    def _strike_until(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            time.sleep(self.faults.rng.uniform(0.0, EASE))
            self.faults.strike()
            for witness in self.plain:
                witness.check()

    def _warm_up(self) -> None:
        """As many replays at a time as the daemon answers, so that its pools are at their size."""
        url = f"{self.daemons[0].http}/v1/jobs/default/{self.faults.truncatable[0]}/log"
        deadline = time.monotonic() + WARM

        def read() -> None:
            while time.monotonic() < deadline:
                with suppress(OSError), urllib.request.urlopen(url, timeout=10.0) as answer:
                    answer.read()

        readers = [threading.Thread(target=read) for _ in range(REPLAYS)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()

    def _usages(self) -> dict[str, Usage]:
        """Of those that live through all of it."""
        return {
            "the daemon": usage_of(self.daemons[0].pid),
            "the subscriber": usage_of(self.steady.pid),
        }


class _Logs:
    """Where the printer prints: tails have a stand-in of their own."""

    def __init__(self, files: RayStandIn, tails: RayStandIn) -> None:
        self._files = files
        self._tails = tails

    def append(self, job_id: str, data: bytes) -> None:
        standin = self._tails if job_id.startswith("tail-") else self._files
        standin.append(job_id, data)


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description="All faults at once, for a while.")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=50)
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.seconds:g} s, {options.jobs} jobs", flush=True)
    before = usage_of(os.getpid())
    home = Path(tempfile.mkdtemp(prefix="raytap-stress-"))
    problem = ""
    try:
        with ExitStack() as stack:
            run = Run(options.seed, options.jobs, home, stack)
            try:
                run.go(options.seconds)
            finally:
                print(f"faults: {dict(sorted(run.faults.made.items()))}")
        wait_until(lambda: threading.active_count() == 1, 10, "every thread here has ended")
        after = usage_of(os.getpid())
        assert after.files <= before.files, f"{after.files - before.files} files are left open"
    except AssertionError as error:
        problem = str(error)
    if problem:
        print(f"VIOLATION (seed {options.seed}; logs in {home}): {problem}")
        return 1
    shutil.rmtree(home)
    print("ok")
    return 0


def _daemon(
    home: Path,
    files: RayStandIn,
    tails: RayStandIn,
    redis: RedisProcess,
    proxies: list[FaultProxy],
    stack: ExitStack,
) -> KillableDaemon:
    """With proxies of its own before both stand-ins."""
    dashboard, agent, tail = (
        stack.enter_context(FaultProxy("127.0.0.1", server.port))
        for server in (files.dashboard, files.agent, tails.dashboard)
    )
    proxies += [dashboard, agent, tail]
    by_ranges = {"protocol": "http", "agent_host": urlsplit(agent.url).netloc}
    by_websocket = {"protocol": "websocket", "endpoints": [tail.url]}
    return KillableDaemon(
        home,
        dashboard.url,
        redis=redis.url,
        cluster=by_ranges,
        sections={"cluster.tails": by_websocket},
    )


def _endpoints(daemons: list[KillableDaemon]) -> str:
    return ",".join(daemon.zeromq for daemon in daemons)


def _shown(usage: Usage) -> str:
    return f"{usage.threads} threads, {usage.files} files, {usage.memory / 2**20:.1f} MiB"


def _assert_no_growth(name: str, before: Usage, after: Usage) -> None:
    assert after.threads <= before.threads + SLACK, f"{name} leaks threads: {before} → {after}"
    assert after.files <= before.files + SLACK, f"{name} leaks files: {before} → {after}"
    assert after.memory <= before.memory + GROWTH, f"{name} leaks memory: {before} → {after}"


if __name__ == "__main__":
    sys.exit(main())
