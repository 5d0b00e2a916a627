"""The Ray stand-in in a process of its own, so that it shares no interpreter with what is measured.

Its log files are on this machine: whoever plays a job writes to them directly.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.ray_standin import RayStandIn


class StandIn:
    """Usable with `with`."""

    def __enter__(self) -> Self:
        spawn = multiprocessing.get_context("spawn")
        self._calls, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        self.url, self.agent_url = self._calls.recv()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._calls.close()  # its end tells the process to stop
        self._process.join()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process.pid is not None
        return self._process.pid

    def add_jobs(self, jobs: list[str], log: bytes = b"", status: str = "RUNNING") -> list[Path]:
        """Jobs with that much log; where their log files are."""
        self._calls.send((jobs, log, status))
        paths: list[Path] = self._calls.recv()[0]
        return paths

    @property
    def agent_requests(self) -> int:
        """How many the agent has answered."""
        self._calls.send(([], b"", ""))
        return int(self._calls.recv()[1])


def _serve(calls: Connection[Any, Any]) -> None:
    with RayStandIn() as standin:
        calls.send((standin.url, standin.agent_url))
        while True:
            try:
                jobs, log, status = calls.recv()
            except EOFError:
                return
            for job in jobs:
                standin.add_job(job, status, log)
            calls.send(([standin.log_path(job) for job in jobs], standin.requests["agent"]))
