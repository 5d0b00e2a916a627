"""What the brokers list, asked once a second by a thread for each: one that hangs holds up none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from broker.errors import ClientError
from broker.events import get_logger
from broker.jobview import JobList, JobView
from broker.text.plain_text import mask_credentials
from broker.topic import Stream
from subscribers.replay import JournalClient

events: Final = get_logger("dashboard")

TOKEN_FROM: Final = "--token-file or dashboard.upstream.token_file"
_EVERY_S: Final = 1.0


class BrokerLists:
    """The last list of each broker; one that is away keeps its last, and is said to be away."""

    def __init__(
        self,
        bases: Sequence[str],
        token: str | None,
        told: Callable[[Sequence[JobView]], None],
        *,
        every: float = _EVERY_S,
    ) -> None:
        self._told = told
        self._every = every
        self._lock = threading.Lock()
        self._lists: dict[str, JobList] = {}
        self._views: dict[Stream, JobView] = {}
        self._problems: dict[str, str] = dict.fromkeys(bases, "not asked yet")
        self._asked = {base: threading.Event() for base in bases}
        self._stopping = threading.Event()
        self._clients = {base: JournalClient(base, token, TOKEN_FROM) for base in bases}
        self._threads = [
            threading.Thread(target=self._run, args=(base,), name="raytap-list", daemon=True)
            for base in bases
        ]

    def start(self) -> None:
        """Begin to ask. Once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Ask no more; answers that are under way are cut. Idempotent."""
        self._stopping.set()
        for client in self._clients.values():
            client.abort()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def asked(self) -> bool:
        """Whether each broker has answered once, or could not."""
        return all(event.is_set() for event in self._asked.values())

    @property
    def heard(self) -> bool:
        """Whether each broker has answered once."""
        with self._lock:
            return len(self._lists) == len(self._clients)

    @property
    def name(self) -> str:
        """Who the brokers are."""
        with self._lock:
            return ", ".join(sorted({found.broker for found in self._lists.values()}))

    def degraded(self) -> list[str]:
        """Brokers that do not answer, and what those that do say does not work."""
        with self._lock:
            away = [
                mask_credentials(_said(base, problem))
                for base, problem in self._problems.items()
                if problem and self._asked[base].is_set()
            ]
            theirs = [
                one
                for base, found in self._lists.items()
                if not self._problems[base]
                for one in found.degraded
            ]
        return [*away, *dict.fromkeys(theirs)]

    def views(self) -> dict[Stream, JobView]:
        """Each job once: as the broker tells it that is furthest. Not to be changed."""
        return self._views

    def _run(self, base: str) -> None:
        client = self._clients[base]
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                listed = client.jobs()
            except ClientError as error:
                self._failed(base, error.message)
            else:
                self._answered(base, listed)
            self._asked[base].set()
            self._stopping.wait(max(0.05, began + self._every - time.monotonic()))
        client.close()

    def _failed(self, base: str, problem: str) -> None:
        if not self._problems[base] or not self._asked[base].is_set():
            events.warning("broker_away", broker=base, error=problem)
        with self._lock:
            self._problems[base] = problem

    def _answered(self, base: str, listed: JobList) -> None:
        if self._problems[base] and self._asked[base].is_set():
            events.info("broker_back", broker=base)
        with self._lock:
            self._lists[base] = listed
            self._problems[base] = ""
            views = [view for found in self._lists.values() for view in found.jobs]
            self._views = _furthest(views)
        self._told(views)


def _said(base: str, problem: str) -> str:
    """The problem with its broker's address once."""
    problem = problem.removeprefix(f"{base.rstrip('/')}: ")
    return problem if base.rstrip("/") in problem else f"broker {base}: {problem}"


def _furthest(views: Sequence[JobView]) -> dict[Stream, JobView]:
    found: dict[Stream, JobView] = {}
    for view in views:
        stream = Stream(view.cluster, view.job)
        known = found.get(stream)
        if known is None or (known.run, known.next) < (view.run, view.next):
            found[stream] = view
    return found
