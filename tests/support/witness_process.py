"""A `Subscription` with its checks as a process of its own, which a test may stop for a while.

It reads one line from its standard input, `{"job": lines, …}`, waits until it has all of them and
the jobs' ends, and says on its standard output what it saw.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from subscribers import Subscription
from tests.support.witness import SubscriptionWitness, agree


class WitnessProcess:
    """`addresses` are arguments of `Subscription`: `zeromq` or `redis`, and `brokers`."""

    def __init__(self, **addresses: str) -> None:
        options = [f"--{name}={address}" for name, address in addresses.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.witness_process", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"connected\n"

    def pause(self) -> None:
        """It reads nothing any more; its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self._process.send_signal(signal.SIGCONT)

    def result(self, lines: dict[str, int], timeout: float = 60.0) -> dict[str, Any]:
        """Its counts, once it has so many lines of each job and their ends."""
        output, _ = self._process.communicate(json.dumps(lines).encode() + b"\n", timeout)
        found: dict[str, Any] = json.loads(output)
        assert not found["problem"], found
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Run as a process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--zeromq", default="")
    parser.add_argument("--redis")
    parser.add_argument("--brokers")
    options = parser.parse_args()
    zeromq = [options.zeromq] if options.zeromq else []
    frames = Subscription(
        "*", zeromq=zeromq, redis=options.redis, brokers=options.brokers, start="begin"
    )
    with SubscriptionWitness("Subscription", frames) as witness:
        while not frames.connected:
            time.sleep(0.01)
        print("connected", flush=True)
        wanted: dict[str, int] = json.loads(sys.stdin.readline())
        problem = ""
        try:
            for job, lines in wanted.items():
                agree([witness], job, lines)
                witness.until_end(job)
        except AssertionError as error:
            problem = str(error)
    print(json.dumps(asdict(frames.stats) | {"problem": problem, "lines": witness.lines}))


if __name__ == "__main__":
    main()
