"""Row 7: the daemon's memory beside the idle daemon: 1,000 silent streams; one line of 100 MiB.

    python -m benchmarks.memory [--rounds 3] [--streams 1000] [--json]

On the stand-in for Ray (in a process of its own), with the shipped settings and
`protocol = "http"`. Idle: the daemon is up, and there is no job. Silent streams: that many jobs of
one line each, which nobody prints to any more; resident memory once each was read and polled again
for 20 s, minus that of the same daemon before there was any. The line: one job that is followed;
the peak while a line of 100 MiB without an end comes, and is published cut, minus what was
resident before. Each round has fresh daemons. A plain subscriber checks that every stream's line
came, and the long one with the length that it had.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgpack
import zmq

from benchmarks.daemon import Daemon
from benchmarks.measure import parse, parser, take_turns
from benchmarks.result import Claim, Result, Work, print_result
from benchmarks.standin import StandIn
from broker.config.config import LimitsConfig

MIB: Final = 1 << 20
CUT: Final = LimitsConfig().max_message_size  # bytes that are kept of a line


class Held(NamedTuple):
    """MiB of the daemon, and its CPU while nothing was printed."""

    idle: float
    more: float
    cpu: float = 0.0  # share of one core


@contextmanager
def _followed() -> Iterator[tuple[StandIn, Daemon, zmq.Socket[bytes]]]:
    with (
        tempfile.TemporaryDirectory(prefix="raytap-") as home,
        StandIn() as standin,
        Daemon(Path(home, "d"), standin.url, cluster={"protocol": "http"}) as daemon,
        zmq.Context() as context,
        context.socket(zmq.SUB) as subscriber,
    ):
        subscriber.linger = 0
        subscriber.set_hwm(0)
        subscriber.subscribe(b"")
        subscriber.connect(daemon.zeromq)
        time.sleep(1.0)  # what a start leaves behind is let go of, and the subscriber is connected
        yield standin, daemon, subscriber


def silent_streams(count: int, polled: float) -> Held:
    """That many jobs, and `polled` seconds of asking them."""
    with _followed() as (standin, daemon, subscriber):
        idle = daemon.resident_mib
        wanted = {f"silent-{number}" for number in range(count)}
        standin.add_jobs(sorted(wanted), b"the only line\n")
        for frame in _logs(subscriber):
            wanted.discard(frame["job"])
            if not wanted:
                break
        cpu = daemon.meter()
        time.sleep(polled)  # what polling costs in that time
        return Held(idle, daemon.resident_mib - idle, cpu.read()["daemon"] / polled)


def long_line(size: int) -> Held:
    """One line of that many bytes."""
    with _followed() as (standin, daemon, subscriber):
        (path,) = standin.add_jobs(["long"], b"before\n")
        logs = _logs(subscriber)
        next(logs)
        time.sleep(1.0)  # what the start leaves behind is let go of
        idle = daemon.resident_mib
        daemon.forget_peak()
        with path.open("ab") as log:
            for _ in range(size // MIB):
                log.write(b"x" * MIB)
            log.write(b"\nafter\n")
        lines: list[str] = []
        while len(lines) < 2:
            lines += next(logs)["lines"]
        if lines != ["x" * CUT + f" …[truncated {size - CUT} bytes]", "after"]:
            raise AssertionError(f"{[line[-80:] for line in lines]} came")
        return Held(idle, daemon.peak_mib - idle)


def _logs(subscriber: zmq.Socket[bytes]) -> Iterator[dict[str, Any]]:
    while subscriber.poll(60_000):
        frame = msgpack.unpackb(subscriber.recv_multipart()[1])
        if frame["kind"] == "log":
            yield frame
    raise AssertionError("nothing came for a minute")


def main() -> None:
    """Run and report."""
    made = parser(__doc__, rounds=3)
    made.add_argument("--streams", type=int, default=1_000)
    options = parse(made)
    streams, polled, size = (20, 0.5, MIB) if options.quick else (options.streams, 20.0, 100 * MIB)
    held = take_turns(
        {
            f"{streams:,} silent streams": partial(silent_streams, streams, polled),
            f"a line of {size // MIB} MiB": partial(long_line, size),
        },
        options.rounds,
    )
    claims = [
        Claim("7", name, "the idle daemon", "MiB more", [each.more for each in taken], None, most)
        for (name, taken), most in zip(held.items(), (150.0, 5.0), strict=True)
    ]
    figures = {
        name: {
            "idle MiB": [each.idle for each in taken],
            "more MiB": [each.more for each in taken],
            "CPU, cores": [each.cpu for each in taken],
        }
        for name, taken in held.items()
    }
    print_result(Result(claims, [Work("The daemon's memory", figures)]), options.json)


if __name__ == "__main__":
    main()
