"""Row 3: how late live lines are, of one job on a real head that prints 20 lines/s, in seconds.

    python -m benchmarks.live_lag [--rounds 3] [--seconds 20] [--json]

Each line begins with the time at which it was printed (and flushed); its lag is the time at which
a reader has it as text, minus that. raytap: the shipped settings, a plain pyzmq subscriber that
unpacks. Ray: `tail_job_logs`, its text split into lines. Nobody: the same job with no reader, for
what the head's processes take anyway. They take turns, each with a job of its own; what is printed
in the first 3 s is left out, because Ray's tail needs a second to begin. Every line must come,
once and in order. CPU is that of the agent, the dashboard with its modules, and the daemon, as a
share of one core.

raytap's lag is split at the time when the daemon had read the line (the frame's `ts`): before it,
the wait for the next poll (`poll_interval` 0.1 s: 0.05 s on average) and the request; after it,
the wait for others of the same commit (20 ms), commit, ZeroMQ and unpacking.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Final, NamedTuple

import msgpack
import zmq

from benchmarks.daemon import Daemon
from benchmarks.head import head_meter
from benchmarks.lags import SteadyClock, distribution, printed_ns
from benchmarks.measure import parse, parser, take_turns
from benchmarks.process import CpuMeter
from benchmarks.result import Claim, Result, Work, print_result
from broker.processes.localray import LocalRay

RATE: Final = 20  # lines/s
WARM_UP: Final = 3.0  # seconds
RAYTAP: Final = "raytap"
RAY: Final = "Ray's tail_job_logs"
NOBODY: Final = "no reader"

PRINTER: Final = f"""
import sys, time
begin = time.monotonic()
for number in range({RATE} * int(sys.argv[1])):
    time.sleep(max(0, begin + number / {RATE} - time.monotonic()))
    print(time.time_ns(), number, "loss=0.123 tokens/s=48211", flush=True)
"""


class Arrivals:
    """The job's lines as they come; any other thread may read `lines`."""

    def __init__(self) -> None:
        self.lines = 0
        self.lags: array[float] = array("d")
        self.read_lags: array[float] = array("d")  # until the daemon had read the line
        self._begun = 0

    def came(self, lines: list[str], ts: int = 0) -> None:
        """Lines in order; `ts` where a daemon told when it had read them, ns."""
        now = time.time_ns()
        for line in lines:
            printed = printed_ns(line)
            if not printed:
                continue
            if int(line.split()[1]) != self.lines:
                raise AssertionError(f"{line!r} came for line {self.lines}")
            self.lines += 1
            self._begun = self._begun or printed
            if printed - self._begun >= WARM_UP * 1e9:
                self.lags.append((now - printed) / 1e9)
                if ts:
                    self.read_lags.append((ts - printed) / 1e9)


class Follower(NamedTuple):
    """Follows a job to its end on the calling thread; `pids` are of processes made for that."""

    follow: Callable[[str, Arrivals], None]
    pids: list[int]


@contextmanager
def raytap(head: LocalRay) -> Iterator[Follower]:
    """A daemon with the shipped settings, and a plain subscriber."""
    with tempfile.TemporaryDirectory(prefix="raytap-") as home:
        daemon = Daemon(Path(home, "d"), head.url, cluster={"agent_host": "127.0.0.1"})

        def follow(job: str, arrivals: Arrivals) -> None:
            with zmq.Context() as context, context.socket(zmq.SUB) as socket:
                socket.linger = 0
                socket.subscribe(f"default/{job}/".encode())
                socket.connect(daemon.zeromq)
                while socket.poll(20_000):
                    frame = msgpack.unpackb(socket.recv_multipart()[1])
                    if frame["kind"] == "log":
                        arrivals.came(frame["lines"], frame["ts"])
                    elif frame["kind"] == "end":
                        break

        with daemon:
            yield Follower(follow, [daemon.pid])


@contextmanager
def ray_client(head: LocalRay) -> Iterator[Follower]:
    """Ray's own; it ends by itself."""
    from ray.job_submission import JobSubmissionClient

    client = JobSubmissionClient(head.url)

    async def tail(job: str, arrivals: Arrivals) -> None:
        rest = ""
        async for text in client.tail_job_logs(job):
            *lines, rest = (rest + text).split("\n")
            arrivals.came(lines)

    yield Follower(lambda job, arrivals: asyncio.run(tail(job, arrivals)), [])


@contextmanager
def nobody(head: LocalRay) -> Iterator[Follower]:
    """Lines are left alone."""
    yield Follower(lambda job, arrivals: None, [])


class Turn(NamedTuple):
    """One contender, once."""

    arrivals: Arrivals
    cpu: dict[str, float]  # shares of one core, by process


def turn(head: LocalRay, script: str, seconds: int, who: Callable[[LocalRay], Any]) -> Turn:
    """One job, from its submission to its end."""
    arrivals, job = Arrivals(), f"live-{time.time_ns()}"
    with who(head) as (follow, pids), SteadyClock(), ThreadPoolExecutor(1) as thread:
        head.submit(f"{sys.executable} {script} {seconds}", job)
        done = thread.submit(follow, job, arrivals)
        head.wait(job, {"RUNNING"}, 30)
        time.sleep(WARM_UP)  # the first polls and imports are not in it
        head_cpu, own_cpu = head_meter(head), CpuMeter({"daemon": pids})
        time.sleep(seconds - WARM_UP)  # no polling of ours beside theirs
        spent = {**head_cpu.read(), **own_cpu.read()}
        head.wait(job, {"SUCCEEDED"}, 30)
        done.result(60)
    if who is not nobody and arrivals.lines != RATE * seconds:
        raise AssertionError(f"{who.__name__}: {arrivals.lines} lines of {RATE * seconds}")
    return Turn(arrivals, {name: spent / (seconds - WARM_UP) for name, spent in spent.items()})


def figures(turns: list[Turn]) -> dict[str, list[float]]:
    """One contender's, a value each round."""
    found: dict[str, list[float]] = {}
    for arrivals, cpu in turns:
        if arrivals.lags:
            for name, seconds in distribution(arrivals.lags).items():
                found.setdefault(f"{name} s", []).append(seconds)
            if arrivals.read_lags:
                found.setdefault("mean until read s", []).append(fmean(arrivals.read_lags))
        for name, share in cpu.items():
            found.setdefault(f"{name} CPU", []).append(share)
    return found


def claims(found: dict[str, dict[str, list[float]]]) -> list[Claim]:
    """The lag, and what it costs."""
    mine, theirs, none = (found[name] for name in (RAYTAP, RAY, NOBODY))
    polling = [a - b for a, b in zip(mine["agent CPU"], none["agent CPU"], strict=True)]
    what = f"live lines, {RATE} lines/s"
    return [
        Claim("3", f"{what}: mean lag", "–", "s", mine["mean s"], at_most=0.10),
        Claim("3", f"{what}: p99 of the lag", "–", "s", mine["p99 s"], at_most=0.25),
        Claim("3", f"{what}: mean lag of {RAY}", "–", "s", theirs["mean s"]),
        Claim("3", f"{what}: p99 of it", "–", "s", theirs["p99 s"]),
        Claim("3", "mean until raytap has read a line", "–", "s", mine["mean until read s"]),
        Claim("3", "polling one live job: the agent", NOBODY, "core more", polling),
        Claim("3", "polling one live job: the daemon", "–", "core", mine["daemon CPU"]),
    ]


def main() -> None:
    """Start a head, let them take turns."""
    made = parser(__doc__, rounds=3)
    made.add_argument("--seconds", type=int, default=20, help="how long each job prints")
    options = parse(made)
    seconds = 5 if options.quick else options.seconds
    with LocalRay() as head, tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(PRINTER)
        script.flush()
        contenders = {
            name: partial(turn, head, script.name, seconds, who)
            for name, who in ((RAYTAP, raytap), (RAY, ray_client), (NOBODY, nobody))
        }
        turns = take_turns(contenders, options.rounds)
    found = {name: figures(taken) for name, taken in turns.items()}
    print_result(
        Result(claims(found), [Work(f"A job that prints {RATE} lines/s", found)]), options.json
    )


if __name__ == "__main__":
    main()
