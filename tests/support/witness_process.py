"""A `Subscription` with its checks as a process of its own, which a test may stop for a while.

It reads one line from its standard input, `[[job, lines, generation, run], …]`, waits until it
has all of them and the jobs' ends, and says on its standard output what it saw.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from subscribers import Subscription
from tests.support.witness import SubscriptionWitness, complete

Wanted = tuple[str, int, int, int]  # job, lines, generation, run


class WitnessProcess:
    """`addresses` are arguments of `Subscription`: `zeromq` or `redis`, and `brokers`, each one
    address or several with commas between them."""

    def __init__(self, name: str = "Subscription", **addresses: str) -> None:
        options = [f"--{kind}={address}" for kind, address in addresses.items()]
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.witness_process", *options],
            env=os.environ | {"MALLOC_ARENA_MAX": "1"},  # what grows is ours, not heaps of glibc
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"connected\n"

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def pause(self) -> None:
        """It reads nothing any more; its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self._process.send_signal(signal.SIGCONT)

    def ask(self, wanted: Sequence[Wanted]) -> dict[str, Any]:
        """Its counts, once it has all of that; it goes on then. Raises `AssertionError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"{self.name} ended with {self._process.wait()}"
        found: dict[str, Any] = json.loads(answer)
        assert not found["problem"], f"{self.name}: {found}"
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
    for name in ("--zeromq", "--redis", "--brokers"):
        parser.add_argument(name, default="")
    options = parser.parse_args()
    frames = Subscription(
        "*",
        zeromq=_several(options.zeromq),
        redis=options.redis or None,
        brokers=_several(options.brokers),
        start="begin",
    )
    with SubscriptionWitness("Subscription", frames) as witness:
        while not frames.connected:
            time.sleep(0.01)
        print("connected", flush=True)
        for question in sys.stdin:
            problem = ""
            try:
                for wanted in json.loads(question):
                    complete(witness, *wanted)
                witness.check()
            except AssertionError as error:
                problem = str(error)
            print(json.dumps(asdict(frames.stats) | {"problem": problem}), flush=True)


def _several(addresses: str) -> list[str]:
    return addresses.split(",") if addresses else []


if __name__ == "__main__":
    main()
