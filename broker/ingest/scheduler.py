"""A heap of deadlines and a few reader threads: what makes a thousand workers cost four threads."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

from broker.errors import Stopping
from broker.events import get_logger

RETRY_BROKEN: Final = 30.0  # seconds until a worker that met a bug of ours is tried again

events = get_logger("ingest")


class Task(Protocol):
    """What is scheduled."""

    def step(self, now: float) -> float | None:
        """Do what is due; when to be called again, None for never."""

    def close(self) -> None:
        """Let go of what it holds; it is not called again."""


@dataclass(slots=True)
class _Entry:
    task: Task
    deadline: float
    running: bool = False
    again: bool = False  # woken while it ran
    removed: bool = False


class Scheduler:
    """Calls each task's `step` when it is due, each on one thread at a time."""

    def __init__(
        self,
        name: str,
        threads: int,
        done: Callable[[Task], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._done = done
        self._clock = clock
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, _Entry]] = []
        self._order = count()
        self._entries: dict[int, _Entry] = {}
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"raytap-reader-{name}-{n}", daemon=True)
            for n in range(threads)
        ]

    def start(self) -> None:
        """Begin to call what is due."""
        for thread in self._threads:
            thread.start()

    def add(self, task: Task) -> None:
        """Schedule a task for now; one that is scheduled already is woken."""
        with self._changed:
            if id(task) in self._entries:
                self._wake(self._entries[id(task)])
                return
            entry = _Entry(task, self._clock())
            self._entries[id(task)] = entry
            self._push(entry)

    def wake(self, task: Task) -> None:
        """Call it now rather than at its deadline."""
        with self._changed:
            entry = self._entries.get(id(task))
            if entry is not None:
                self._wake(entry)

    def stop(self, timeout: float) -> None:
        """Call no more; wait for what runs, then close every task. Idempotent."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            entries = [entry for entry in self._entries.values() if not entry.running]
            self._entries.clear()
        for entry in entries:
            _close(entry.task)

    def _wake(self, entry: _Entry) -> None:
        if entry.running:
            entry.again = True
        elif entry.deadline > self._clock():
            entry.deadline = self._clock()
            self._push(entry)

    def _push(self, entry: _Entry) -> None:
        heapq.heappush(self._heap, (entry.deadline, next(self._order), entry))
        self._changed.notify()

    def _next(self) -> _Entry | None:
        with self._changed:
            while not self._stopping:
                now = self._clock()
                if self._heap and self._heap[0][0] <= now:
                    deadline, _, entry = heapq.heappop(self._heap)
                    # A wake leaves the later entry in the heap: it is passed over here.
                    if entry.running or entry.removed or deadline != entry.deadline:
                        continue
                    entry.running = True
                    return entry
                self._changed.wait(self._heap[0][0] - now if self._heap else None)
            return None

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            try:
                deadline = entry.task.step(self._clock())
            except Stopping:
                deadline = self._clock()
            except Exception as error:
                # One job's surprise is one job's: the others go on, and it is tried again.
                events.exception("worker_failed", error)
                deadline = self._clock() + RETRY_BROKEN
            try:
                self._after(entry, deadline)
            except Exception as error:
                events.exception("worker_not_ended", error)

    def _after(self, entry: _Entry, deadline: float | None) -> None:
        with self._changed:
            entry.running = False
            if deadline is None and not entry.again:
                entry.removed = True
                self._entries.pop(id(entry.task), None)
            else:
                now = self._clock()
                entry.deadline = now if entry.again or deadline is None else max(deadline, now)
                entry.again = False
                self._push(entry)
        if entry.removed:
            _close(entry.task)
            self._done(entry.task)


def _close(task: Task) -> None:
    """What can't be let go of in order keeps nobody else from ending."""
    try:
        task.close()
    except Exception as error:
        events.exception("worker_not_closed", error)
