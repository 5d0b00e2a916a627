"""The journal's writing thread, watched: a commit that fails or stalls never stops the bus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from broker.errors import JournalError
from broker.events import get_logger
from broker.journal import Journal, Record
from broker.metrics import Metrics
from broker.topic import Stream

STALL_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 5.0  # unjournaled for this long before the next attempt
EVICT_SECONDS: Final = 1.0
FORGET_SECONDS: Final = 5.0

events = get_logger("journal")


class JournalWriter:
    """Appends on one thread of its own; `append` is called by the bus alone."""

    def __init__(
        self,
        journal: Journal,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._clock_ns = clock_ns
        self._changed = threading.Condition()
        self._work: Sequence[Record] | None = None
        self._outcome: JournalError | None = None
        self._watermark: int | None = None
        self._forgets: list[tuple[Stream, Future[int]]] = []
        self._stopping = False
        self._retry_at = 0.0
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="raytap-journal", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why frames go out unjournaled; empty while they are journaled."""
        return self._problem

    def last_sequence(self) -> int:
        """The newest journaled frame's sequence."""
        return self._journal.last_sequence()

    def append(self, records: Sequence[Record]) -> bool:
        """Commit; False where the journal is out of order, and nothing is waited for then."""
        start = self._clock()
        with self._changed:
            if self._work is not None or start < self._retry_at:
                self._metrics.unjournaled_frames.inc(len(records))
                return False  # the stalled commit is still under way, or it failed lately
            self._work = records
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._work is None, STALL_SECONDS)
            error = self._outcome
        if done and error is None:
            self._metrics.journal_commit_seconds.observe(self._clock() - start)
            self._recovered()
            return True
        self._fail(error.message if error else f"a commit takes over {STALL_SECONDS:.0f} s")
        self._metrics.unjournaled_frames.inc(len(records))
        return False

    def published(self, sequence: int) -> None:
        """All up to `sequence` left the process: remembered with the next commit."""
        with self._changed:
            self._watermark = sequence

    def forget(self, stream: Stream) -> int:
        """Remove a stream; its frames' number. On any thread. Raises `JournalError`."""
        asked: Future[int] = Future()
        with self._changed:
            if self._stopping:
                raise JournalError("the daemon is going down")
            self._forgets.append((stream, asked))
            self._changed.notify_all()
        try:
            return asked.result(FORGET_SECONDS)
        except TimeoutError:
            asked.cancel()
            raise JournalError(f"the journal takes over {FORGET_SECONDS:.0f} s") from None

    def close(self, timeout: float) -> None:
        """Commit the watermark and close. Idempotent."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _run(self) -> None:
        evict_at = self._clock() + EVICT_SECONDS
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping or self._work is not None or self._forgets, 1.0
                )
                work, watermark = self._work, self._watermark
                forgets, self._forgets = self._forgets, []
                if self._stopping and work is None and not forgets:
                    break
            outcome = self._attempt(work, watermark) if work is not None else None
            if work is not None:
                with self._changed:
                    self._work = None
                    self._outcome = outcome
                    self._changed.notify_all()
            for stream, asked in forgets:
                self._forget(stream, asked)
            if self._clock() >= evict_at:
                self._evict()
                evict_at = self._clock() + EVICT_SECONDS
        self._close()

    def _attempt(self, work: Sequence[Record], watermark: int | None) -> JournalError | None:
        try:
            if watermark is not None:
                self._journal.published(watermark)
            self._journal.append(work)
        except JournalError as error:
            return error
        except Exception as error:  # the thread must go on, and the bus must hear of it
            return _unexpected(error)
        return None

    def _forget(self, stream: Stream, asked: Future[int]) -> None:
        if not asked.set_running_or_notify_cancel():
            return
        try:
            asked.set_result(self._journal.forget(stream))
        except JournalError as error:
            asked.set_exception(error)
        except Exception as error:
            asked.set_exception(_unexpected(error))

    def _evict(self) -> None:
        """Down to the bounds, a small step at a time, and no commit waits for it."""
        try:
            while self._journal.evict(self._clock_ns()) and self._work is None:
                pass
        except JournalError as error:
            events.warning("journal_evict_failed", error=error.message)
        except Exception as error:  # a thread that ended would look like a commit that stalls
            _unexpected(error)

    def _close(self) -> None:
        try:
            if self._watermark is not None:
                self._journal.published(self._watermark)
            self._journal.close()
        except JournalError as error:
            events.error("journal_close_failed", error=error.message)

    def _fail(self, problem: str) -> None:
        if not self._problem:
            events.error("journal_off", problem=problem, effect="frames go out without replay")
        self._problem = problem
        self._metrics.journal_unjournaled.set(1)
        self._retry_at = self._clock() + RETRY_SECONDS

    def _recovered(self) -> None:
        if self._problem:
            events.info("journal_on", after=self._problem)
            self._problem = ""
            self._metrics.journal_unjournaled.set(0)


def _unexpected(error: Exception) -> JournalError:
    """A bug of ours: logged with where it happened, told without what it says."""
    events.exception("journal_bug", error)
    return JournalError(f"unexpected: {type(error).__name__}")
