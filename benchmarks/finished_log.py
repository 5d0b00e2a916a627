"""Rows 1 and 2: a finished log on a real head, to one viewer or to ten, beside Ray's own client.

    python -m benchmarks.finished_log [--viewers 10] [--rounds 3] [--lines 1700000] [--json]

The log: 1.7 M lines, 210 MB. raytap: from its first connection to Ray (until then a gate is shut
between the two; daemon and viewers are up and idle) to the last frame unpacked by the last viewer,
each a plain pyzmq subscriber in a process of its own; redaction and journal on, limits lifted.
Ray: `tail_job_logs` from the call to the last line, the client made and Ray imported before.
websocket-client: the same from the connection on, its UTF-8 check off. Everyone counts the lines
and shows the last one before its time is believed. CPU and peak memory are of all processes on
this side (with raytap the daemon's too); the head's CPU is told beside them, for the same span.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from benchmarks.daemon import LIFTED, Daemon
from benchmarks.head import FinishedLog, head_meter, print_log
from benchmarks.log_readers import LogReader
from benchmarks.measure import Run, parse, parser, ratios, speed, take_turns
from benchmarks.result import Claim, Result, Work, print_result
from broker.processes.localray import LocalRay
from tests.support.fault_proxy import FaultProxy
from tests.support.wait import wait_until

LINES: Final = 1_700_000
TIMEOUT: Final = 300.0
RAYTAP: Final = "raytap"
RAY: Final = "Ray's tail_job_logs"
SOCKET: Final = "websocket-client"


class Reading(NamedTuple):
    """One contender, once."""

    run: Run
    head_cpu: float  # seconds
    daemon_cpu: float = 0.0


def raytap(
    head: LocalRay, log: FinishedLog, viewers: int, sections: dict[str, Any] | None = None
) -> Reading:
    """A fresh daemon and its viewers. `sections`: settings beside the lifted limits."""
    where = urlsplit(head.url)
    gate = FaultProxy(where.hostname or "", where.port or 0)
    cluster = {
        **{"follow": "all", "jobs": [log.job], "agent_host": "127.0.0.1"},
        **{"backoff_base": 0.1, "backoff_cap": 0.1},  # for the gate alone
    }
    with tempfile.TemporaryDirectory(prefix="raytap-") as home:
        daemon = Daemon(
            Path(home, "d"), gate.url, cluster=cluster, sections={**LIFTED, **(sections or {})}
        )
        with daemon:
            readers = [
                LogReader("zeromq", daemon.zeromq, log.job, log.lines) for _ in range(viewers)
            ]
            for reader in readers:
                reader.until_ready()
            head_cpu, own = head_meter(head), daemon.meter()
            gate.start()
            try:
                wait_until(lambda: gate.connections, 10, "raytap asks Ray", 0.001)
                start = time.monotonic()
                found = _results(readers, log)
                spent = sum(own.read().values())
                run = Run(
                    max(each["done"] for each in found) - start,
                    spent + sum(each["cpu"] for each in found),
                    daemon.peak_mib + sum(each["peak_mib"] for each in found),
                )
                return Reading(run, sum(head_cpu.read().values()), spent)
            finally:
                gate.stop()


def tail(what: str, head: LocalRay, log: FinishedLog, viewers: int) -> Reading:
    """As many readers of Ray's tail at once."""
    readers = [LogReader(what, head.url, log.job, log.lines) for _ in range(viewers)]
    for reader in readers:
        reader.until_ready()
    head_cpu = head_meter(head)
    for reader in readers:
        reader.go()
    found = _results(readers, log)
    run = Run(
        max(each["done"] for each in found) - min(each["start"] for each in found),
        sum(each["cpu"] for each in found),
        sum(each["peak_mib"] for each in found),
    )
    return Reading(run, sum(head_cpu.read().values()))


def _results(readers: list[LogReader], log: FinishedLog) -> list[dict[str, Any]]:
    found = [reader.result(TIMEOUT) for reader in readers]
    for each in found:
        if (each["lines"], each["last"]) != (log.lines, log.last):
            raise AssertionError(f"{each} is not {log}")
    return found


def work(title: str, log: FinishedLog, readings: dict[str, list[Reading]]) -> Work:
    """The figures of all contenders."""
    figures = speed({name: [r.run for r in taken] for name, taken in readings.items()}, 0.0, "MB")
    for name, taken in readings.items():
        figures[name]["MB/s"] = [log.size / 1e6 / r.run.seconds for r in taken]
        figures[name]["lines/s"] = [log.lines / r.run.seconds for r in taken]
        figures[name]["of it daemon's CPU s"] = [r.daemon_cpu for r in taken]
        figures[name]["head's CPU s"] = [r.head_cpu for r in taken]
    return Work(f"{title} ({log.size / 1e6:.0f} MB, {log.lines:,} lines)", figures)


def claims(readings: dict[str, list[Reading]], viewers: int) -> list[Claim]:
    """How many times as fast, and what it costs the head."""
    seconds = {name: [r.run.seconds for r in taken] for name, taken in readings.items()}
    head = {name: [r.head_cpu for r in taken] for name, taken in readings.items()}
    cpu = {name: [r.run.cpu_seconds for r in taken] for name, taken in readings.items()}
    faster = ratios(seconds[RAY], seconds[RAYTAP])
    share = ratios(head[RAYTAP], head[RAY])
    spent = ratios(cpu[RAYTAP], cpu[RAY])
    if viewers == 1:
        what = "finished log to one viewer: speed"
        return [
            Claim("1", what, RAY, "×", faster, at_least=5.0),
            Claim("1", what, SOCKET, "×", ratios(seconds[SOCKET], seconds[RAYTAP])),
            Claim("1", "CPU of the head", RAY, "×", share),
            Claim("1", "CPU of the readers", RAY, "×", spent),
        ]
    what = f"finished log to {viewers} viewers: speed"
    return [
        Claim("2", what, f"{viewers} × {RAY}", "×", faster, at_least=20.0),
        Claim("2", "CPU of the head", f"{viewers} × {RAY}", "×", share, at_most=1 / 20),
        Claim("2", "CPU of the readers", f"{viewers} × {RAY}", "×", spent),
    ]


def main() -> None:
    """Start a head, print the log, let them take turns."""
    made = parser(__doc__, rounds=3)
    made.add_argument("--lines", type=int, default=LINES)
    made.add_argument("--viewers", type=int, default=1)
    made.add_argument("--only", help="one contender alone, to profile it: raytap")
    options = parse(made)
    viewers = options.viewers
    with LocalRay() as head:
        log = print_log(head, "finished-log", 20_000 if options.quick else options.lines)
        contenders: dict[str, Callable[[], Reading]] = {
            RAYTAP: partial(raytap, head, log, viewers),
            RAY: partial(tail, "ray", head, log, viewers),
        }
        if viewers == 1:
            contenders[SOCKET] = partial(tail, "socket", head, log, viewers)
        if options.only:
            contenders = {options.only: contenders[options.only]}
        readings = take_turns(contenders, options.rounds)
    title = f"A finished log to {viewers} viewer{'s' * (viewers > 1)}"
    found = [] if options.only else claims(readings, viewers)
    print_result(Result(found, [work(title, log, readings)]), options.json)


if __name__ == "__main__":
    main()
