"""The journal's thread, watched: whatever the journal does, the bus goes on and it is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from broker.bus.journal_writer import RETRY_SECONDS, JournalWriter
from broker.errors import JournalError
from broker.journal import Record
from broker.journal.memory import MemoryJournal
from broker.metrics import Metrics
from broker.topic import Stream
from tests.support.journal_records import OTHER, STREAM, log_records
from tests.support.wait import wait_until


class Balky(MemoryJournal):
    """A journal in memory that waits, or raises, when it is told to."""

    def __init__(self) -> None:
        super().__init__(1 << 30, 1 << 30, 1e9)
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None
        self.fails_in = "append"
        self.evictions = 0
        self.marks: list[int] = []

    def append(self, records: Sequence[Record]) -> None:
        self.go.wait()
        self._fail("append")
        super().append(records)

    def published(self, sequence: int) -> None:
        self.marks.append(sequence)
        super().published(sequence)

    def evict(self, now_ns: int) -> int:
        self.evictions += 1
        self._fail("evict")
        return super().evict(now_ns)

    def forget(self, stream: Stream) -> int:
        self.go.wait()
        self._fail("forget")
        return super().forget(stream)

    def _fail(self, method: str) -> None:
        if self.error is not None and method == self.fails_in:
            raise self.error


class Watched:
    """A writer over such a journal, on a clock of the test's."""

    def __init__(self) -> None:
        self.now = 100.0
        self.journal = Balky()
        self.metrics = Metrics("test")
        self.writer = JournalWriter(self.journal, self.metrics, lambda: self.now, lambda: 1)

    def append(self, count: int = 1) -> bool:
        return self.writer.append(log_records(count))

    def metric(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"raytap_{name}")


@pytest.fixture
def it() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.journal.go.set()
    watched.writer.close(5)
    assert not watched.writer._thread.is_alive()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.bus.journal_writer.STALL_SECONDS", 0.05)


def test_what_is_appended_is_committed_when_append_returns(it: Watched) -> None:
    assert it.append(3)
    assert it.journal.usage().frames == it.writer.last_sequence() == 3
    assert it.writer.problem == ""
    assert it.metric("journal_commit_seconds_count") == 1.0


def test_a_commit_over_two_seconds_lets_frames_go_on_unjournaled_and_says_so(it: Watched) -> None:
    it.journal.go.clear()
    assert not it.append(3)
    assert it.writer.problem == "a commit takes over 2 s"
    assert it.metric("journal_unjournaled") == 1.0
    assert it.metric("unjournaled_frames_total") == 3.0


@pytest.mark.usefixtures("impatient")
def test_while_a_commit_stalls_nothing_waits_for_it(it: Watched) -> None:
    it.journal.go.clear()
    it.append()
    it.now += 10 * RETRY_SECONDS
    waited = threading.Thread(target=lambda: [it.append() for _ in range(1_000)])
    waited.start()
    waited.join(5)
    assert not waited.is_alive()
    assert it.metric("unjournaled_frames_total") == 1_001.0


def test_it_comes_back_by_itself_after_a_stall(
    it: Watched, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    it.journal.go.clear()
    it.append()
    monkeypatch.setattr("broker.bus.journal_writer.STALL_SECONDS", 60.0)
    it.journal.go.set()
    wait_until(lambda: it.writer._work is None, 5, "the stalled commit ends")
    assert not it.append()  # not before some seconds have passed
    it.now += RETRY_SECONDS
    assert it.append(2)
    assert it.writer.problem == ""
    assert it.metric("journal_unjournaled") == 0.0
    assert it.journal.usage().frames == 3  # the stalled one got there in the end


def test_an_error_of_the_journal_is_said_and_tried_again_later(it: Watched) -> None:
    it.journal.error = JournalError("the disk is full")
    assert not it.append()
    assert it.writer.problem == "the disk is full"
    it.journal.error = None
    assert not it.append()
    it.now += RETRY_SECONDS
    assert it.append()
    assert it.writer.problem == ""


def test_an_unexpected_error_is_named_by_its_kind_and_ends_nothing(it: Watched) -> None:
    it.journal.error = ZeroDivisionError("password=hunter2")
    assert not it.append()
    assert it.writer.problem == "unexpected: ZeroDivisionError"
    it.journal.error = None
    it.now += RETRY_SECONDS
    assert it.append()


@pytest.mark.parametrize("error", [JournalError("locked"), ZeroDivisionError("a bug of ours")])
def test_an_eviction_that_fails_costs_no_commit(it: Watched, error: Exception) -> None:
    it.journal.error, it.journal.fails_in = error, "evict"

    def evicted() -> bool:
        it.now += 2.0
        assert it.append()
        return it.journal.evictions >= 3

    wait_until(evicted, 5, "three evictions")
    assert it.append()
    assert it.writer.problem == ""


@pytest.mark.parametrize(
    ("error", "message"),
    [(JournalError("locked"), "locked"), (ZeroDivisionError("x"), "unexpected: ZeroDivisionError")],
)
def test_a_purge_that_fails_is_told_to_who_asked(
    it: Watched, error: Exception, message: str
) -> None:
    it.journal.error, it.journal.fails_in = error, "forget"
    with pytest.raises(JournalError, match=message):
        it.writer.forget(STREAM)
    assert it.append()


def test_a_purge_removes_one_stream_and_tells_how_much(it: Watched) -> None:
    it.append(4)
    it.writer.append(log_records(2, stream=OTHER))
    assert it.writer.forget(STREAM) == 4
    assert it.journal.spans(STREAM) == []
    assert it.journal.spans(OTHER) != []


def test_a_purge_that_cannot_begin_in_time_is_given_up(
    it: Watched, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    monkeypatch.setattr("broker.bus.journal_writer.FORGET_SECONDS", 0.05)
    it.journal.go.clear()
    it.append(2)
    with pytest.raises(JournalError, match="takes over"):
        it.writer.forget(STREAM)
    monkeypatch.setattr("broker.bus.journal_writer.STALL_SECONDS", 60.0)
    it.journal.go.set()
    it.now += RETRY_SECONDS
    wait_until(it.append, 5, "the journal is back")
    assert it.journal.spans(STREAM) != []  # nothing was removed behind the asker's back


def test_the_watermark_goes_with_the_next_commit(it: Watched) -> None:
    it.append(5)
    it.writer.published(3)
    assert len(list(it.journal.unpublished())) == 5
    it.append()
    assert [stored.sequence for _, stored in it.journal.unpublished()] == [4, 5, 6]


def test_close_commits_the_watermark_and_closes(it: Watched) -> None:
    it.append(5)
    it.writer.published(5)
    it.writer.close(5)
    it.writer.close(5)
    assert it.journal.marks == [5]
    with pytest.raises(JournalError):
        it.journal.usage()
    with pytest.raises(JournalError, match="going down"):
        it.writer.forget(STREAM)


@pytest.mark.usefixtures("impatient")
def test_a_stalled_commit_does_not_keep_it_from_closing_in_time(it: Watched) -> None:
    it.journal.go.clear()
    it.append()
    it.writer.close(0.05)  # returns; the thread ends when the disk lets it
    assert it.writer._thread.is_alive()
