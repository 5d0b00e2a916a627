"""The threads that ask the journals, so that a slow or absent one never holds up live frames."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from broker.backoff import Backoff
from broker.errors import ClientError
from broker.frame import Frame
from broker.jobview import JobList
from subscribers.events import Answered, Crashed, Replayed, Surveyed
from subscribers.inbox import Inbox
from subscribers.journals import Answer
from subscribers.replay import JournalClient
from subscribers.sequencer import Question

_THREADS: Final = 4
_SHORT_S: Final = 5.0  # how long a journal that answers may lack lines that were seen published
_STALL_S: Final = 5.0  # a reader that is slower than this gives its place at the broker back
_BACKOFF_S: Final = (0.1, 3.0)  # base and cap


class _StalledError(Exception):
    pass


class Repairer:
    """A few threads, started when first needed. Journals that are away are asked again with
    backoff until they were away for `repair_timeout` seconds; then the lines are given up that no
    other has."""

    def __init__(self, inbox: Inbox, token: str | None, repair_timeout: float) -> None:
        self._inbox = inbox
        self._token = token
        self._repair_timeout = repair_timeout
        self._bases: list[str] = []
        self._due: list[tuple[float, int, Callable[[list[JournalClient]], None]]] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._stopped = False
        self._down_since: dict[str, float] = {}  # journals that did not answer when asked last
        self._clients: list[JournalClient] = []  # of all threads, to abort what they read

    @property
    def bases(self) -> list[str]:
        """The brokers that are asked."""
        return self._bases

    def add_brokers(self, bases: Iterable[str]) -> None:
        """Ask these brokers too, from now on."""
        with self._changed:
            self._bases = [*self._bases, *(base for base in bases if base not in self._bases)]

    def ask(self, question: Question) -> None:
        """Put `Replayed`s and one `Answered` into the inbox, some time."""
        answer, since, backoff = Answer(question), time.monotonic(), Backoff(*_BACKOFF_S)
        self._at(0.0, lambda clients: self._answer(clients, answer, since, backoff))

    def survey(self) -> None:
        """Put one `Surveyed` into the inbox, some time."""
        self._at(0.0, self._survey)

    def stop(self) -> None:
        """End at once: answers that are being read are cut. Any thread, idempotent."""
        with self._changed:
            self._stopped = True
            clients = list(self._clients)
            self._changed.notify_all()
        for client in clients:
            client.abort()

    def join(self, timeout: float) -> None:
        """Wait for the threads' end, `timeout` seconds in all."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _at(self, delay: float, task: Callable[[list[JournalClient]], None]) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._numbers), task))
            if len(self._due) > self._idle and len(self._threads) < _THREADS and not self._stopped:
                thread = threading.Thread(target=self._run, name="raytap-replay", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def _run(self) -> None:
        own: dict[str, JournalClient] = {}
        while (task := self._next_task()) is not None:
            bases = self._bases
            for base in bases:
                if base not in own:
                    own[base] = JournalClient(base, self._token)
                    with self._changed:
                        self._clients.append(own[base])
            try:
                task([own[base] for base in bases])
            except Exception as error:  # whoever iterates is told, else it would wait for ever
                self._inbox.put(Crashed(error))
        for client in own.values():
            client.close()

    def _next_task(self) -> Callable[[list[JournalClient]], None] | None:
        with self._changed:
            self._idle += 1
            while not self._stopped:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    self._idle -= 1
                    return heapq.heappop(self._due)[2]
                self._changed.wait(self._due[0][0] - now if self._due else None)
            return None

    def _answer(
        self, clients: list[JournalClient], answer: Answer, since: float, backoff: Backoff
    ) -> None:
        question = answer.question

        def deliver(frame: Frame, size: int) -> None:
            if not self._inbox.put_replay(Replayed(question, frame, size), size, _STALL_S):
                raise _StalledError

        begun = time.monotonic()
        waited_for = {c.base for c in clients if begun < self._patience(c.base, since)}
        if question.next is None and begun >= since + _SHORT_S:
            waited_for.clear()
        try:
            problem = answer.read(clients, deliver, waited_for)
        except _StalledError:
            self._inbox.put(Answered(question, "", paused=True))
            return
        now = time.monotonic()
        for base in answer.heard | answer.busy:
            self._down_since.pop(base, None)
        away = answer.away if clients else {""}
        for base in away - answer.busy:
            self._down_since.setdefault(base, now)
        waits = [since + _SHORT_S] if answer.answered else [begun]
        if question.next is not None or not answer.answered:
            waits += [self._patience(base, since) for base in away]
        if answer.complete or answer.refused or begun >= max(waits):
            again = question.next is None and any(now < self._patience(b, now) for b in away)
            unanswered = not answer.answered
            self._inbox.put(Answered(question, problem, False, unanswered, again, answer.epochs))
            return
        self._at(backoff.next(), lambda again: self._answer(again, answer, since, backoff))

    def _patience(self, base: str, since: float) -> float:
        """Until when a journal that is away is waited for by who asks since then."""
        return max(since + 1.0, self._down_since.get(base, since) + self._repair_timeout)

    def _survey(self, clients: list[JournalClient]) -> None:
        lists: dict[str, JobList] = {}
        missing: dict[str, str] = {}
        for client in clients:
            try:
                lists[client.base] = client.jobs()
            except ClientError as error:
                missing[client.base] = error.message
        self._inbox.put(Surveyed(lists, missing))
