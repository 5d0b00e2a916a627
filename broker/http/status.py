"""The seam between the HTTP API and the daemon. The API reads; all it changes is by `forget`."""

from __future__ import annotations

from typing import Protocol

from broker.jobview import JobView
from broker.journal.replay import Replay
from broker.topic import Stream


class Status(Protocol):
    """What the daemon tells. Called on any of the API's worker threads; nothing here blocks but
    `forget`, `replay` and the reading of what that returns.
    """

    broker: str

    def ready(self) -> bool:
        """Bound, and every cluster's first discovery has been answered or has failed."""

    def degraded(self) -> list[str]:
        """What does not work just now, a line each, such as `journal: disk full (no replay)`."""

    def jobs(self) -> list[JobView]:
        """Every stream the daemon knows."""

    def replay(self, stream: Stream, epoch: str | None, start: int, limit: int | None) -> Replay:
        """What was published from line `start` on, `limit` lines at most, of the newest epoch
        where None is given. Raises `ClientError` 404 (unknown) or 503 (no journal)."""

    def forget(self, stream: Stream) -> int:
        """Remove what the journal holds of a job that is no longer read; frames removed. Raises
        `ClientError` 404 (unknown), 409 (still read) or 503 (no journal)."""
