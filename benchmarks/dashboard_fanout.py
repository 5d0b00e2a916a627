"""Issue 5: one job at 20 frames/s to 1,000 SSE clients of a gateway, beside 50,000 other lines/s.

    python -m benchmarks.dashboard_fanout [--rounds 3] [--clients 1000] [--seconds 15] [--json]

A stand-in for a broker publishes over ZeroMQ (and answers over HTTP): the watched job at 20
frames/s of 10 lines, and 50 other jobs at 10 frames/s of 100 lines each. `raytap dashboard`, with
the shipped settings, serves 1,000 clients of the watched job's stream, which are sockets and an
epoll in two processes. From the moment before a frame is encoded and published to the moment when
a client has read it, for every client and every frame of 15 s, after 3 that do not count. Each
client's lines must follow one another but for what a `skipped` event names, and at last stand
where the job does.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
import urllib.request
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

from benchmarks.lags import SteadyClock, distribution
from benchmarks.measure import parse, parser, take_turns
from benchmarks.process import CpuMeter, peak_mib
from benchmarks.result import Claim, Result, Work, print_result
from benchmarks.sse_clients import Tally, read_stream
from broker.frame import Frame
from broker.processes.localray import free_port
from tests.support.fake_broker import FakeBroker
from tests.support.wait import wait_until

JOB: Final = "watched"
FRAMES_PER_S: Final = 20
LINES: Final = 10  # of a frame of the watched job
OTHERS: Final = 50  # jobs
OTHER_FRAMES_PER_S: Final = 10  # each
OTHER_LINES: Final = 100  # of each of their frames
WARM_UP: Final = 3.0  # seconds
PROCESSES: Final = 2
TARGET: Final = 0.25  # seconds
EPOCH: Final = "0123456789ab"
TEXT: Final = (
    "INFO train.py:212 -- epoch 3 loss=0.1234567 lr=3.0e-04 tokens/s=48211 grad_norm=0.731"
)


def publish(others: int, stop: Event, link: Connection[Any, Any]) -> None:
    """The broker's side, until told to stop; then the line that the watched job has reached."""
    with FakeBroker() as broker:
        link.send((broker.endpoint, broker.http))
        reached = dict.fromkeys([JOB, *(f"other-{number}" for number in range(others))], 0)
        tick = 1 / FRAMES_PER_S
        at, ticks = time.monotonic(), 0
        while not stop.is_set():
            broker.publish(_frame(JOB, reached, LINES))
            for number in range(others):
                if (ticks + number) % (FRAMES_PER_S // OTHER_FRAMES_PER_S) == 0:
                    broker.publish(_frame(f"other-{number}", reached, OTHER_LINES))
            ticks += 1
            at += tick
            stop.wait(max(0.0, at - time.monotonic()))
        link.send(reached[JOB])
        link.recv()  # the gateway may ask for what is missing until then


def _frame(job: str, reached: dict[str, int], lines: int) -> Frame:
    first, now = reached[job], time.time_ns()
    reached[job] += lines
    text = [f"{now} {number} {TEXT}" for number in range(first, first + lines)]
    return Frame("log", "default", job, first, first + lines, ts=now, epoch=EPOCH, lines=text)


@contextmanager
def gateway(home: Path, zeromq: str, http: str) -> Iterator[tuple[tuple[str, int], int]]:
    """`raytap dashboard` on these brokers: where it listens, and its pid."""
    address = ("127.0.0.1", free_port())
    config = home / "raytap.toml"
    config.write_text(
        f"state_dir = {json.dumps(str(home / 'state'))}\n"
        f'[dashboard]\nbind = "{address[0]}:{address[1]}"\n'
        f'[dashboard.upstream]\nzeromq = ["{zeromq}"]\nbrokers = ["{http}"]\n'
    )
    raytap = str(Path(sys.executable).with_name("raytap"))
    with (home / "gateway.log").open("wb") as log:
        process = subprocess.Popen([raytap, "dashboard", "--config", str(config)], stderr=log)
    try:
        url = f"http://{address[0]}:{address[1]}/v1/jobs"
        wait_until(partial(_lists, url), 20, "the gateway lists the watched job", 0.05)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(15)


def _lists(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return any(row["job"] == JOB for row in json.load(answer)["jobs"])
    except OSError:
        return False


def turn(clients: int, others: int, seconds: float, warm_up: float) -> dict[str, float]:
    """A fresh broker, gateway and clients; lags in seconds, CPU as shares of one core."""
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="raytap-")))
        stop, since = spawn.Event(), spawn.Value("d", 0.0)
        broker, theirs = spawn.Pipe()
        publisher = spawn.Process(target=publish, args=(others, stop, theirs), daemon=True)
        publisher.start()
        stack.callback(publisher.join)
        stack.callback(broker.send, "done")
        stack.callback(stop.set)
        address, pid = stack.enter_context(gateway(home, *broker.recv()))
        links = []
        for _ in range(PROCESSES):
            link, theirs = spawn.Pipe()
            arguments = (address, f"/v1/jobs/default/{JOB}/stream", clients // PROCESSES, since)
            reader = spawn.Process(target=read_stream, args=(*arguments, theirs), daemon=True)
            reader.start()
            stack.callback(reader.join)
            links.append((link, reader))
        for link, _ in links:
            _received(link)
        stack.enter_context(SteadyClock())
        time.sleep(warm_up)  # until the rate is even
        assert publisher.pid is not None
        pids = [reader.pid for _, reader in links if reader.pid is not None]
        cpu = CpuMeter({"gateway": [pid], "clients": pids, "broker": [publisher.pid]})
        since.value = time.time_ns()
        time.sleep(seconds)  # what is measured, by others
        shares = {f"{name} CPU": spent / seconds for name, spent in cpu.read().items()}
        stop.set()
        reached = _received(broker)
        time.sleep(2.0)  # the last frames are on their way
        for link, _ in links:
            link.send("stop")
        tallies: list[Tally] = [_received(link) for link, _ in links]
        peak = peak_mib(pid)
    behind = [at for tally in tallies for at in tally.reached if at != reached]
    if behind:
        raise AssertionError(f"{len(behind)} clients are not at {reached}: {behind[:5]}")
    lags = array("d", b"".join(tally.lags for tally in tallies))
    return {
        **{f"{name} s": value for name, value in distribution(lags).items()},
        "events/s": len(lags) / seconds,
        "skipped lines, announced": sum(tally.skipped_lines for tally in tallies),
        **shares,
        "gateway's peak MiB": peak,
    }


def _received(link: Connection[Any, Any]) -> Any:
    if not link.poll(60):
        raise AssertionError("a process of the benchmark says nothing")
    return link.recv()


def main() -> None:
    """Run and report."""
    made = parser(__doc__, rounds=3)
    made.add_argument("--clients", type=int, default=1_000)
    made.add_argument("--seconds", type=float, default=15.0)
    options = parse(made)
    clients, others, seconds, warm_up = options.clients, OTHERS, options.seconds, WARM_UP
    if options.quick:
        clients, others, seconds, warm_up = 20, 4, 1.0, 0.5
    what = f"{FRAMES_PER_S} frames/s to {clients:,} SSE clients"
    turns = take_turns(
        {what: partial(turn, clients, others, seconds, warm_up)},
        options.rounds,
    )
    figures = {
        name: {figure: [each[figure] for each in taken] for figure in taken[0]}
        for name, taken in turns.items()
    }
    found = figures[what]
    claims = [
        Claim("fan-out", f"{what}: p99 lag", "–", "s", found["p99 s"], at_most=TARGET),
        Claim("fan-out", "skipped, all announced", "–", "lines", found["skipped lines, announced"]),
    ]
    other_lines = others * OTHER_FRAMES_PER_S * OTHER_LINES
    print_result(
        Result(claims, [Work(f"Beside {other_lines:,} other lines/s", figures)]), options.json
    )


if __name__ == "__main__":
    main()
