"""A job that goes on printing numbered lines until it is told to stop."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from tests.support.ray_standin import RayStandIn


class PrintingJob:
    """Appends so many lines at a time to the log of a job of the stand-in, every few milliseconds,
    while it is entered. The job has to be there, and is not finished by this."""

    def __init__(self, standin: RayStandIn, job: str, lines: int = 50) -> None:
        self._standin = standin
        self._job = job
        self._lines = lines
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.printed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Print no more. Idempotent."""
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping.wait(0.005):
            numbers = range(self.printed, self.printed + self._lines)
            self._standin.append(self._job, b"".join(b"line %d\n" % n for n in numbers))
            self.printed += self._lines
