"""Row 8, the price: what polling costs the agent of a real Ray head, by requests a second.

    python -m benchmarks.agent_polling [--rounds 3] [--seconds 8] [--json]

The daemon's own source asks for what is new in a log of 10 MB that does not grow, as it does for a
silent job: the last 64 bytes that it had, over kept-alive connections, four at a time. Paced at
several rates, and as fast as it goes. CPU is the agent's, as a share of one core, less what it
takes when nobody asks; every answer must be the bytes that are there.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.head import FinishedLog, print_log
from benchmarks.measure import parse, parser, ratios, take_turns
from benchmarks.process import CpuMeter
from benchmarks.result import Claim, Result, Work, print_result
from broker.config.config import ClusterConfig
from broker.processes.localray import LocalRay
from broker.sources.agent_range import AgentRange
from broker.sources.http_client import HttpClient

RATES: Final = (0, 100, 300, 600)  # requests/s
UNPACED: Final = 10_000
THREADS: Final = 4  # as many as the daemon's readers
TAIL: Final = 64  # bytes that are compared


def turn(head: LocalRay, log: Path, job: str, rate: int, seconds: float) -> tuple[float, float]:
    """Requests/s that were answered, and the agent's CPU meanwhile."""
    client = HttpClient(ClusterConfig(), None)
    size = log.stat().st_size
    tail = log.read_bytes()[-TAIL:]

    def ask(thread: int) -> int:
        source = AgentRange(client, head.agent_url, job)
        asked, at = 0, begun + thread / max(rate, 1)
        while rate and at < begun + seconds and time.monotonic() < begun + seconds:
            time.sleep(max(0.0, at - time.monotonic()))  # the rate that is measured
            if list(source.read(size, tail)):
                raise AssertionError("a log that does not grow has grown")
            at += THREADS / rate
            asked += 1
        return asked

    cpu, begun = CpuMeter({"agent": head.pids("agent")}), time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        asked = sum(threads.map(ask, range(THREADS)))
    time.sleep(max(0.0, begun + seconds - time.monotonic()))  # where nobody asks
    took = time.monotonic() - begun
    client.close()
    return asked / took, cpu.read()["agent"] / took


def main() -> None:
    """Start a head, let the rates take turns."""
    made = parser(__doc__, rounds=3)
    made.add_argument("--seconds", type=float, default=8.0)
    options = parse(made)
    seconds = 1.0 if options.quick else options.seconds
    with LocalRay() as head:
        log: FinishedLog = print_log(head, "polled", 80_000)
        path = head.log_path(log.job)
        turns = take_turns(
            {
                "as fast as it goes" if rate == UNPACED else f"{rate}/s": partial(
                    turn, head, path, log.job, rate, seconds
                )
                for rate in (*RATES, UNPACED)
            },
            options.rounds,
        )
    idle = [cpu for _, cpu in turns["0/s"]]
    figures = {}
    for name, taken in turns.items():
        rates = [rate for rate, _ in taken]
        shares = [cpu - none for (_, cpu), none in zip(taken, idle, strict=True)]
        figures[name] = {"requests/s": rates, "agent CPU": shares}
        if name != "0/s":
            figures[name]["ms each"] = [1e3 * one for one in ratios(shares, rates)]
    claims = [
        Claim("8", f"a real agent asked {name}: its CPU", "nobody asks", "core", each["agent CPU"])
        for name, each in figures.items()
        if name != "0/s"
    ]
    print_result(Result(claims, [Work("Polling a real agent", figures)]), options.json)


if __name__ == "__main__":
    main()
