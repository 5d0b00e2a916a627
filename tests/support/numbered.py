"""Lines that say themselves where they belong, and a thread that prints them as jobs do."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

_FILLER: Final = "the quick fox – größer, 日本語, 🎛 @ " * 4
_LINE: Final = re.compile(r"(\S+) g(\d+) #(\d+) ")


class Log(Protocol):
    """Where a job's log is written."""

    def append(self, job_id: str, data: bytes) -> None:
        """One write to its end."""


def line(job: str, generation: int, number: int) -> str:
    """Line `number` of the job's file; `generation` counts the files it had. Any 64 bytes tell it:
    the daemon compares no more of what it has read with what is there now."""
    filler = _FILLER[: number * 37 % 120].replace("@", f"g{generation}")
    return f"{job} g{generation} #{number} {filler} g{generation}|"


def generation_of(text: str, job: str, number: int) -> int | None:
    """The file that a line is of; None where it is not the job's, or not that one, or changed."""
    found = _LINE.match(text)
    if found is None or text != line(job, int(found[2]), number):
        return None
    return int(found[2])


class Printer:
    """Prints numbered lines to jobs' logs at about `rate` lines a second in all, in writes that
    end anywhere, inside of a character too. All but the thread's own work may be called from any.
    """

    def __init__(self, log: Log, rng: random.Random, rate: float = 10_000) -> None:
        self._log = log
        self._rng = rng
        self.rate = rate
        self._lock = threading.RLock()
        self._jobs: dict[str, _Job] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)

    def add(self, job: str) -> None:
        """Print to this job too; where it was printed to before, its numbers go on."""
        with self._lock:
            self._jobs.setdefault(job, _Job()).printing = True

    def finish(self, job: str, *, whole: bool = True) -> int:
        """Print no more to it; how many lines its file has. If not `whole`, the last one has no
        end, until the job is printed to again."""
        with self._lock:
            known = self._jobs[job]
            known.printing = False
            size = len(known.unwritten) - (0 if whole else known.unwritten.endswith(b"\n"))
            self._log.append(job, bytes(known.unwritten[:size]))
            del known.unwritten[:size]
            return known.lines

    def lines(self, job: str) -> int:
        """How many lines the job's file has; the last may not be written to its end."""
        with self._lock:
            return self._jobs[job].lines

    def generation(self, job: str) -> int:
        """Which of its files is printed to."""
        with self._lock:
            return self._jobs[job].generation

    def begin_again(self, job: str, replace: Callable[[], None]) -> None:
        """The file is truncated or replaced by `replace`: its numbers begin again."""
        with self._lock:
            known = self._jobs[job]
            known.generation += 1
            known.lines = 0
            known.unwritten.clear()
            replace()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.02):
            with self._lock:
                printing = [job for job, known in self._jobs.items() if known.printing]
                for job in printing:
                    self._print(job, max(1, int(self.rate * 0.02 / len(printing))))

    def _print(self, job: str, mean: int) -> None:
        known = self._jobs[job]
        until = known.lines + self._rng.randint(0, 2 * mean)
        for number in range(known.lines, until):
            known.unwritten += line(job, known.generation, number).encode() + b"\n"
        known.lines = until
        size = self._rng.randint(0, len(known.unwritten))
        self._log.append(job, bytes(known.unwritten[:size]))
        del known.unwritten[:size]


class _Job:
    def __init__(self) -> None:
        self.generation = 0
        self.lines = 0
        self.unwritten = bytearray()
        self.printing = True
