"""Row 9: a finished log with the journal on beside the journal off; and a replay of 1 M lines.

    python -m benchmarks.journal [--rounds 5] [--lines 1700000] [--json]

On and off: as in `benchmarks/finished_log.py`, one viewer, the same log on a real head. Replay: a
daemon that has read that log is asked over HTTP for its first 1 M lines, in the three media types;
`msgpack` is unpacked by the client, and each frame must follow the one before; of the other two
the lines are counted. From the request to the last line. CPU is the client's, and the daemon's.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

import msgpack
import urllib3

from benchmarks.daemon import LIFTED, Daemon
from benchmarks.finished_log import raytap, work
from benchmarks.head import FinishedLog, print_log
from benchmarks.measure import Run, Stopwatch, parse, parser, ratios, take_turns
from benchmarks.result import Claim, Result, Work, print_result
from broker.processes.localray import LocalRay
from tests.support.wait import wait_until

LINES: Final = 1_700_000
REPLAYED: Final = 1_000_000
BLOCK: Final = 1 << 20
ON: Final = "journal on"
OFF: Final = "journal off"
MSGPACK: Final = "application/msgpack"
MEDIA: Final = (MSGPACK, "application/x-ndjson", "text/plain")


def replay(daemon: Daemon, job: str, lines: int, media: str) -> tuple[Run, float]:
    """One replay, and the daemon's CPU for it."""
    url = f"{daemon.http}/v1/jobs/default/{job}/log?from=0&limit={lines}"
    cpu = daemon.meter()
    pool = urllib3.PoolManager()
    with Stopwatch() as watch:
        answer = pool.request("GET", url, headers={"Accept": media}, preload_content=False)
        blocks = answer.stream(BLOCK)
        count = 0
        if media == MSGPACK:
            unpacker = msgpack.Unpacker(max_buffer_size=0)
            for block in blocks:
                unpacker.feed(block)
                for frame in unpacker:
                    if frame["first"] != count:
                        raise AssertionError(f"line {frame['first']} came for {count}")
                    count = frame["next"]
        else:
            count = sum(block.count(b"\n") for block in blocks)
    spent = cpu.read()["daemon"]
    said = answer.headers.get("Raytap-Next")
    pool.clear()
    if answer.status != 200 or count != lines or said != str(lines):
        raise AssertionError(f"{answer.status}: {count} lines of {lines}; it said {said}")
    return watch.run, spent


def replays(head: LocalRay, log: FinishedLog, lines: int, rounds: int) -> Work:
    """All media types in turn, from one daemon."""
    cluster = {"follow": "all", "jobs": [log.job], "agent_host": "127.0.0.1"}
    with (
        tempfile.TemporaryDirectory(prefix="raytap-") as home,
        Daemon(Path(home, "d"), head.url, cluster=cluster, sections=LIFTED) as daemon,
    ):
        wait_until(
            lambda: daemon.jobs().get(log.job, {}).get("next") == log.lines, 60, "it is read", 0.2
        )
        time.sleep(0.5)  # the journal's last step backwards and forwards
        turns = take_turns(
            {media: partial(replay, daemon, log.job, lines, media) for media in MEDIA}, rounds
        )
    figures = {
        media: {
            "lines/s": [lines / run.seconds for run, _ in taken],
            "seconds": [run.seconds for run, _ in taken],
            "CPU s": [run.cpu_seconds for run, _ in taken],
            "daemon's CPU s": [spent for _, spent in taken],
        }
        for media, taken in turns.items()
    }
    return Work(f"A replay of {lines:,} lines", figures)


def main() -> None:
    """Start a head, print the log, read it, replay it."""
    made = parser(__doc__)
    made.add_argument("--lines", type=int, default=LINES)
    options = parse(made)
    rounds = options.rounds
    with LocalRay() as head:
        log = print_log(head, "finished-log", 20_000 if options.quick else options.lines)
        readings = take_turns(
            {
                ON: partial(raytap, head, log, 1),
                OFF: partial(raytap, head, log, 1, {"journal": {"enabled": False}}),
            },
            rounds,
        )
        replayed = replays(head, log, min(REPLAYED, log.lines), rounds)
    seconds = {name: [r.run.seconds for r in taken] for name, taken in readings.items()}
    rates = replayed.contenders[MSGPACK]["lines/s"]
    claims = [
        Claim("9", "finished log, journal on", OFF, "×", ratios(seconds[OFF], seconds[ON]), 0.85),
        Claim("9", f"replay of {REPLAYED // 10**6} M lines", "–", "lines/s", rates, 2e6),
    ]
    print_result(
        Result(claims, [work("A finished log to 1 viewer", log, readings), replayed]), options.json
    )


if __name__ == "__main__":
    main()
