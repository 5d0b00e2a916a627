"""What a journal lets go of when it holds too much."""

from __future__ import annotations

from broker.checkpoint import Checkpoint, Mark
from broker.journal import Record
from broker.journal.eviction import MARKS_OUTLIVE, STEP_FRAMES
from broker.journal.payload import ROW_BYTES
from broker.topic import Stream
from tests.journal.conftest import AnyJournal, MakeJournal
from tests.support.journal_records import (
    EPOCH,
    OTHER,
    SECOND,
    STREAM,
    log_frame,
    log_records,
    point_frame,
    record,
)

SIZE = 100  # bytes that a `small` record counts for


def small(line: int, stream: Stream = STREAM) -> Record:
    """A record of one line that is stored as it is."""
    return Record(stream, "log", EPOCH, line, line + 1, SECOND, b"x" * (SIZE - ROW_BYTES))


def evict_all(journal: AnyJournal, now: int = SECOND) -> int:
    total = 0
    while count := journal.evict(now):
        total += count
    return total


def test_nothing_is_let_go_within_the_bounds(make_journal: MakeJournal) -> None:
    journal = make_journal(max_bytes=10 * SIZE, max_job_bytes=10 * SIZE, max_age_s=10)
    journal.append([small(line) for line in range(10)])
    assert journal.evict(10 * SECOND) == 0
    assert journal.usage().stored_bytes == 10 * SIZE


def test_a_job_over_its_bound_loses_its_own_oldest_lines(make_journal: MakeJournal) -> None:
    journal = make_journal(max_job_bytes=4 * SIZE)
    journal.append([small(line) for line in range(10)])
    journal.append([small(line, OTHER) for line in range(3)])
    assert evict_all(journal) == 6
    assert [(span.first, span.next) for span in journal.spans(STREAM)] == [(6, 10)]
    assert [(span.first, span.next) for span in journal.spans(OTHER)] == [(0, 3)]
    assert journal.usage().evicted_frames == 6


def test_finished_jobs_go_first_and_the_oldest_of_them_before_the_others(
    make_journal: MakeJournal,
) -> None:
    journal = make_journal(max_bytes=12 * SIZE)
    running, old, new = Stream("ray", "running"), Stream("ray", "old"), Stream("ray", "new")
    journal.append([small(line, running) for line in range(8)])
    for stream in (old, new):
        journal.append([small(line, stream) for line in range(4)])
        journal.append([record(point_frame("end", 4, stream))])
    evict_all(journal)
    assert [span.first for span in journal.spans(running)] == [0]
    assert [span.first for span in journal.spans(old)] == [4]
    assert 0 < journal.spans(new)[0].first < 4
    assert journal.usage().stored_bytes <= 12 * SIZE


def test_with_no_job_finished_the_one_that_holds_most_gives(make_journal: MakeJournal) -> None:
    journal = make_journal(max_bytes=10 * SIZE)
    journal.append([small(line, OTHER) for line in range(3)])
    journal.append([small(line) for line in range(9)])
    assert evict_all(journal) == 2
    assert [span.first for span in journal.spans(STREAM)] == [2]
    assert [span.first for span in journal.spans(OTHER)] == [0]


def test_what_is_too_old_goes_and_only_that(make_journal: MakeJournal) -> None:
    journal = make_journal(max_age_s=10)
    journal.append(log_records(2, ts=1 * SECOND))
    journal.append([record(log_frame(20, 30, ts=8 * SECOND))])
    assert evict_all(journal, 12 * SECOND) == 2
    assert [(span.first, span.next) for span in journal.spans(STREAM)] == [(20, 30)]


def test_one_call_lets_go_of_a_few_hundred_frames_at_most(make_journal: MakeJournal) -> None:
    journal = make_journal(max_bytes=SIZE)
    journal.append([small(line) for line in range(STEP_FRAMES + 20)])
    assert journal.evict(SECOND) == STEP_FRAMES
    assert journal.evict(SECOND) == 19
    assert journal.evict(SECOND) == 0


def test_marks_and_the_checkpoint_outlive_the_frames(make_journal: MakeJournal) -> None:
    journal = make_journal(max_age_s=10)
    mark = Mark(EPOCH, 10, 140, 99, 0)
    journal.append([record(log_frame(0, 10), Checkpoint(EPOCH, 10, 140), mark)])
    assert evict_all(journal, 20 * SECOND) == 1
    assert journal.mark_before(STREAM, EPOCH, 10) == mark
    assert journal.checkpoints() == {STREAM: Checkpoint(EPOCH, 10, 140)}
    assert [(span.first, span.next) for span in journal.spans(STREAM)] == [(10, 10)]


def test_a_running_job_keeps_its_checkpoint_however_silent_and_a_finished_one_does_not(
    make_journal: MakeJournal,
) -> None:
    journal = make_journal(max_age_s=10)
    journal.append([record(log_frame(0, 10), Checkpoint(EPOCH, 10))])
    journal.append(
        [record(log_frame(0, 10, OTHER), Checkpoint(EPOCH, 10), Mark(EPOCH, 10, 1, 2, 0))]
    )
    journal.append([record(point_frame("end", 10, OTHER))])
    evict_all(journal, 20 * SECOND)
    assert set(journal.checkpoints()) == {STREAM, OTHER}
    evict_all(journal, (10 * MARKS_OUTLIVE + 2) * SECOND)
    assert set(journal.checkpoints()) == {STREAM}
    assert journal.spans(OTHER) == []
    assert journal.mark_before(OTHER, EPOCH, 10) is None


def test_an_old_epoch_of_a_running_job_is_dropped_with_its_marks(make_journal: MakeJournal) -> None:
    journal = make_journal(max_age_s=10)
    journal.append([record(log_frame(0, 10), mark=Mark(EPOCH, 10, 1, 2, 0))])
    journal.append([record(log_frame(0, 10, epoch="bbbbbbbbbbbb"))])
    evict_all(journal, 1000 * SECOND)
    assert [span.epoch for span in journal.spans(STREAM)] == ["bbbbbbbbbbbb"]
    assert journal.mark_before(STREAM, EPOCH, 10) is None


def test_a_sequence_is_not_given_again_after_eviction(make_journal: MakeJournal) -> None:
    journal = make_journal(max_age_s=10)
    journal.append(log_records(3))
    evict_all(journal, 100 * SECOND)
    journal.append(log_records(1))
    assert journal.last_sequence() == 4
