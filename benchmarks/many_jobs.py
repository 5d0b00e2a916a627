"""Row 8: 200 jobs that print 200 lines/s each, beside a job that prints at full speed: the lag.

    python -m benchmarks.many_jobs [--rounds 3] [--jobs 200] [--seconds 10] [--json]

On the stand-in for Ray (all jobs on one agent), with `protocol = "http"` and the shipped settings
but for the polling budget (`agent_requests_per_s`). Each line says when it was printed; its lag is
when a plain pyzmq subscriber to everything has it as text, minus that. Measured for 10 s,
beginning 3 s after every job's first line came. At full speed: 60 MB/s into one log, which is more
than `[limits]` lets through of one job (500,000 lines/s and 50 MiB/s). Every quiet job's lines are
checked for order and number, and those printed until the end must all come; of the flood it is
told how many lines a plain subscriber missed. CPU is a share of one
core; the stand-in's agent is not Ray's, whose cost for each request `benchmarks/agent_polling.py`
measures.
"""

from __future__ import annotations

import tempfile
import time
from array import array
from collections import defaultdict
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgpack
import zmq

from benchmarks.daemon import Daemon
from benchmarks.lags import SteadyClock, distribution, printed_ns, quantile
from benchmarks.measure import parse, parser, take_turns
from benchmarks.printers import TICK, flooding, printing
from benchmarks.process import CpuMeter
from benchmarks.result import Claim, Result, Work, print_result
from benchmarks.standin import StandIn

RATE: Final = 200  # lines/s of each job
WRITE: Final = round(RATE * TICK)  # lines that say the same time
WARM_UP: Final = 3.0  # seconds
FLOOD: Final = "flood"
FLOOD_RATE: Final = 60.0  # MB/s
BUDGETS: Final = (100, 300, 600, 1_000)  # requests/s; the first is the default
ENOUGH: Final = 600
TARGET: Final = 0.5  # seconds


class Received:
    """What a subscriber to everything gets; checks it."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = defaultdict(int)
        self.lags: array[float] = array("d")
        self.lags_of: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self.flood_bytes = self.flood_missed = 0

    def take(self, frame: dict[str, Any], since_ns: int) -> None:
        """A frame; lags count of lines printed from `since_ns` on (0: of none)."""
        if frame["kind"] not in ("log", "gap"):
            return
        job, missing = frame["job"], frame["first"] - self.lines[frame["job"]]
        self.lines[job] = frame["next"]
        if job == FLOOD:
            # It may be more than a plain subscriber takes: then the daemon lets go of this first.
            self.flood_missed += missing
            self.flood_bytes += sum(map(len, frame.get("lines", ())))
            return
        if missing or frame["kind"] == "gap":
            raise AssertionError(
                f"{frame['kind']} {frame['first']}: {missing} of {job} are missing"
            )
        if int(frame["lines"][0].split()[1]) != frame["first"]:
            raise AssertionError(f"line {frame['first']} of {job} is {frame['lines'][0]!r}")
        if since_ns:
            now = time.time_ns()
            for line in frame["lines"][::WRITE]:
                if (printed := printed_ns(line)) >= since_ns:
                    self.lags.append((now - printed) / 1e9)
                    self.lags_of[job].append((now - printed) / 1e9)


def turn(jobs: int, budget: float, flood: bool, seconds: float, warm_up: float) -> dict[str, float]:
    """Fresh stand-in, daemon and logs; lags in seconds, CPU as shares of one core."""
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="raytap-"))
        standin = stack.enter_context(StandIn())
        cluster = {"protocol": "http", "agent_requests_per_s": budget}
        daemon = stack.enter_context(Daemon(Path(home, "d"), standin.url, cluster=cluster))
        context = stack.enter_context(zmq.Context())
        socket = stack.enter_context(context.socket(zmq.SUB))
        socket.linger = 0
        socket.set_hwm(0)
        socket.subscribe(b"")
        socket.connect(daemon.zeromq)
        stack.enter_context(SteadyClock())
        paths = standin.add_jobs([f"quiet-{number}" for number in range(jobs)])
        stop = stack.enter_context(printing(paths, RATE))
        if flood:
            stack.enter_context(flooding(standin.add_jobs([FLOOD])[0], FLOOD_RATE))
        received = Received()
        while len(received.lines) < jobs + flood:
            _receive(socket, received, time.monotonic() + 0.1, 0)
        _receive(socket, received, time.monotonic() + warm_up, 0)
        cpu = CpuMeter({"daemon": [daemon.pid], "stand-in": [standin.pid]})
        requests, flooded = standin.agent_requests, received.flood_bytes
        begun, since = time.monotonic(), time.time_ns()
        _receive(socket, received, begun + seconds, since)
        took = time.monotonic() - begun
        shares = {f"{name} CPU": spent / took for name, spent in cpu.read().items()}
        requests = standin.agent_requests - requests
        flooded = received.flood_bytes - flooded
        peak = daemon.peak_mib
        stop.set()
        _drain(socket, received, paths)
        worst = max(quantile(lags, 0.99) for lags in received.lags_of.values())
        return {
            **{f"{name} s": value for name, value in distribution(received.lags).items()},
            "p99 of the worst job s": worst,
            "requests/s": requests / took,
            **shares,
            "peak MiB": peak,
            "flood MB/s": flooded / 1e6 / took,
            "its lines missed": received.flood_missed,
        }


def _receive(socket: zmq.Socket[bytes], received: Received, until: float, since_ns: int) -> None:
    while (left := until - time.monotonic()) > 0:
        if socket.poll(max(1, int(left * 1_000))):
            received.take(msgpack.unpackb(socket.recv_multipart()[1]), since_ns)


def _drain(socket: zmq.Socket[bytes], received: Received, paths: list[Path]) -> None:
    """Everything that was printed to the quiet jobs comes, to the last line."""
    time.sleep(2 * TICK)  # the printer's last round
    wanted = {f"quiet-{n}": path.read_bytes().count(b"\n") for n, path in enumerate(paths)}
    deadline = time.monotonic() + 30
    while any(received.lines[job] != lines for job, lines in wanted.items()):
        if time.monotonic() > deadline:
            raise AssertionError("not every line that was printed came within 30 s")
        _receive(socket, received, time.monotonic() + 0.1, 0)


def main() -> None:
    """Run and report."""
    made = parser(__doc__, rounds=3)
    made.add_argument("--jobs", type=int, default=200)
    made.add_argument("--seconds", type=float, default=10.0)
    options = parse(made)
    jobs, seconds, warm_up = options.jobs, options.seconds, WARM_UP
    if options.quick:
        jobs, seconds, warm_up = 5, 0.5, 0.5
    budgets = () if options.quick else BUDGETS
    ways = {f"{budget} requests/s": (budget, False) for budget in budgets}
    ways[f"{ENOUGH} requests/s, beside a flood"] = ENOUGH, True
    turns = take_turns(
        {name: partial(turn, jobs, *way, seconds, warm_up) for name, way in ways.items()},
        options.rounds,
    )
    figures = {
        name: {figure: [each[figure] for each in taken] for figure in taken[0]}
        for name, taken in turns.items()
    }
    what = f"{jobs} jobs at {RATE} lines/s each"
    claims = [
        Claim(
            "8", f"{what}: p99 lag at {name}", "–", "s", each["p99 s"],
            at_most=TARGET if ways[name][0] == ENOUGH else None,
        )
        for name, each in figures.items()
    ]  # fmt: skip
    print_result(Result(claims, [Work(what, figures)]), options.json)


if __name__ == "__main__":
    main()
