"""What the brokers tell of their jobs, asked every few seconds on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

from broker.errors import ClientError
from broker.jobview import JobView
from subscribers.replay import JournalClient

INTERVAL_S: Final = 3.0
_TOKEN_FROM: Final = "--token-file or alerts.upstream.token_file"


class Told(NamedTuple):
    """One round of questions. `missing`: why a broker did not answer, one each."""

    number: int
    jobs: list[JobView]
    degraded: list[str]
    missing: list[str]
    answered: bool  # by one at least


class Brokers:
    """`latest` is the last whole round, None before there is one. `start` and `stop` are called
    on one thread."""

    def __init__(
        self, bases: Sequence[str], token: str | None = None, interval_s: float = INTERVAL_S
    ) -> None:
        self.latest: Told | None = None
        self._clients = [JournalClient(base, token, _TOKEN_FROM) for base in bases]
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raytap-alerts-brokers", daemon=True)

    def start(self) -> None:
        """Ask from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more. An answer that is awaited ends with its own timeout. Idempotent."""
        self._stopping.set()
        for client in self._clients:
            client.abort()

    def _run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            self.latest = self._ask(number)
            self._stopping.wait(self._interval_s)
        for client in self._clients:
            client.close()

    def _ask(self, number: int) -> Told:
        told = Told(number, [], [], [], True)
        for client in self._clients:
            try:
                listed = client.jobs()
            except ClientError as error:
                told.missing.append(error.message)
                continue
            told.jobs.extend(listed.jobs)
            told.degraded.extend(listed.degraded)
        return told._replace(answered=len(told.missing) < len(self._clients))
