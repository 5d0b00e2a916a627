"""What every journal does, whatever it is made of."""

from __future__ import annotations

import pytest

from broker.checkpoint import Checkpoint, Mark
from broker.errors import JournalError
from broker.frame import Frame
from broker.journal import Record, Span, Stored
from tests.journal.conftest import AnyJournal
from tests.support.journal_records import (
    EPOCH,
    OTHER,
    STREAM,
    gap_frame,
    log_frame,
    log_records,
    point_frame,
    record,
)


def everything(journal: AnyJournal, line: int = 0, max_bytes: int = 1 << 20) -> list[Stored]:
    """All pages from a line on."""
    found: list[Stored] = []
    while page := journal.page(STREAM, EPOCH, line, found[-1] if found else None, max_bytes):
        found += page
    return found


def spans_of(found: list[Stored]) -> list[tuple[int, int]]:
    return [(stored.first, stored.next) for stored in found]


def test_frames_come_back_byte_for_byte_in_order(journal: AnyJournal) -> None:
    records = [*log_records(30), record(point_frame("end", 300))]
    journal.append(records[:10])
    journal.append(records[10:])
    found = everything(journal)
    assert [stored.payload for stored in found] == [one.payload for one in records]
    assert [stored.sequence for stored in found] == list(range(1, 32))
    assert {stored.epoch for stored in found} == {EPOCH}


@pytest.mark.parametrize("payload", [b"", b"x", b"ab" * 5000, bytes(range(256)) * 3])
def test_any_payload_comes_back_as_it_was(journal: AnyJournal, payload: bytes) -> None:
    journal.append([Record(STREAM, "error", EPOCH, 0, 0, 1, payload)])
    assert [stored.payload for stored in everything(journal)] == [payload]


def test_pages_hold_about_what_is_asked_for_and_at_least_one_frame(journal: AnyJournal) -> None:
    records = log_records(20)
    journal.append(records)
    size = len(records[0].payload)
    assert len(journal.page(STREAM, EPOCH, 0, max_bytes=3 * size + 20)) == 3
    assert len(journal.page(STREAM, EPOCH, 0, max_bytes=1)) == 1
    assert spans_of(everything(journal, max_bytes=2 * size)) == [
        (first, first + 10) for first in range(0, 200, 10)
    ]


def test_a_page_from_the_middle_begins_with_the_frame_over_that_line(journal: AnyJournal) -> None:
    journal.append(log_records(5))
    assert spans_of(journal.page(STREAM, EPOCH, 25)) == [(20, 30), (30, 40), (40, 50)]
    assert spans_of(journal.page(STREAM, EPOCH, 30)) == [(30, 40), (40, 50)]
    assert journal.page(STREAM, EPOCH, 50) == []


def test_frames_that_overlap_and_wide_gaps_are_all_found_in_the_order_of_their_lines(
    journal: AnyJournal,
) -> None:
    frames = [
        gap_frame(0, 1000, "backfill"),
        log_frame(1000, 1100),
        log_frame(1090, 1200),
        log_frame(500, 600),  # filled in later
    ]
    journal.append([record(frame) for frame in frames])
    assert spans_of(everything(journal, 550)) == [(0, 1000), (500, 600), (1000, 1100), (1090, 1200)]
    assert spans_of(everything(journal, 1095, max_bytes=1)) == [(1000, 1100), (1090, 1200)]


def test_kinds_without_lines_are_found_where_they_stand(journal: AnyJournal) -> None:
    frames = [point_frame("status", 0), log_frame(0, 5), point_frame("end", 5)]
    journal.append([record(frame) for frame in frames])
    assert [stored.kind for stored in everything(journal, 1)] == ["log", "end"]
    assert [stored.kind for stored in everything(journal, 5)] == ["end"]
    assert everything(journal, 6) == []


def test_a_heartbeat_is_not_kept_but_the_checkpoint_beside_it_is(journal: AnyJournal) -> None:
    journal.append(log_records(1))
    beat = Frame("heartbeat", *STREAM, 10, 10, epoch=EPOCH)
    journal.append([record(beat, Checkpoint(EPOCH, 10, 777))])
    assert journal.last_sequence() == 1
    assert journal.usage().frames == 1
    assert journal.checkpoints() == {STREAM: Checkpoint(EPOCH, 10, 777)}


def test_each_stream_has_its_newest_checkpoint(journal: AnyJournal) -> None:
    journal.append([*log_records(3), *log_records(2, stream=OTHER)])
    journal.append([record(log_frame(30, 40))])
    assert journal.checkpoints() == {
        STREAM: Checkpoint(EPOCH, 30, 280),
        OTHER: Checkpoint(EPOCH, 20, 140),
    }


def test_a_stream_does_not_see_another_ones_frames(journal: AnyJournal) -> None:
    journal.append([*log_records(2), *log_records(4, stream=OTHER)])
    assert len(everything(journal)) == 2
    assert [span.next for span in journal.spans(OTHER)] == [40]


def test_what_nobody_knows_is_empty(journal: AnyJournal) -> None:
    assert journal.spans(STREAM) == []
    assert journal.page(STREAM, EPOCH, 0) == []
    assert journal.mark_before(STREAM, EPOCH, 10) is None
    assert journal.forget(STREAM) == 0
    assert journal.last_sequence() == 0
    assert list(journal.unpublished()) == []
    journal.append(log_records(1))
    assert journal.page(STREAM, "bbbbbbbbbbbb", 0) == []


def test_epochs_are_told_in_the_order_they_came(journal: AnyJournal) -> None:
    journal.append(
        [
            record(point_frame("status", 0, epoch="")),
            record(gap_frame(0, 7, "backfill")),
            record(log_frame(7, 9)),
            record(point_frame("reset", 0, epoch="bbbbbbbbbbbb")),
            record(log_frame(0, 3, epoch="bbbbbbbbbbbb")),
        ]
    )
    assert journal.spans(STREAM) == [
        Span("", 0, 0, False, False),
        Span(EPOCH, 7, 9, False, False),
        Span("bbbbbbbbbbbb", 0, 3, False, False),
    ]


def test_an_end_ends_it_and_a_new_run_goes_on_with_it(journal: AnyJournal) -> None:
    journal.append([record(log_frame(0, 5)), record(point_frame("end", 5))])
    assert journal.spans(STREAM) == [Span(EPOCH, 0, 5, True, True)]
    journal.append([record(point_frame("status", 5))])
    assert journal.spans(STREAM) == [Span(EPOCH, 0, 5, False, False)]


def test_a_late_line_whose_checkpoint_says_ended_leaves_it_ended(journal: AnyJournal) -> None:
    journal.append([record(log_frame(0, 5)), record(point_frame("end", 5))])
    journal.append([record(log_frame(5, 6), Checkpoint(EPOCH, 6, ended=True))])
    assert journal.spans(STREAM) == [Span(EPOCH, 0, 6, True, True)]


def test_the_nearest_mark_at_or_before_a_line_is_given(journal: AnyJournal) -> None:
    marks = [Mark(EPOCH, line, line * 100, line + 1, 2) for line in (10, 20, 30)]
    records = [record(log_frame(mark.line - 10, mark.line), mark=mark) for mark in marks]
    journal.append(records)
    assert journal.mark_before(STREAM, EPOCH, 9) is None
    assert journal.mark_before(STREAM, EPOCH, 20) == marks[1]
    assert journal.mark_before(STREAM, EPOCH, 29) == marks[1]
    assert journal.mark_before(STREAM, EPOCH, 10**9) == marks[2]


def test_what_is_past_the_watermark_is_unpublished(journal: AnyJournal) -> None:
    records = [*log_records(3), *log_records(3, stream=OTHER)]
    journal.append(records)
    journal.published(2)
    journal.published(1)  # a late word of an earlier one changes nothing
    found = list(journal.unpublished())
    assert [stream for stream, _ in found] == [STREAM, OTHER, OTHER, OTHER]
    assert [stored.payload for _, stored in found] == [one.payload for one in records[2:]]
    journal.published(10**9)
    assert list(journal.unpublished()) == []
    journal.append([record(log_frame(30, 31))])
    assert [stored.sequence for _, stored in journal.unpublished()] == [7]


def test_a_forgotten_stream_is_gone_and_its_numbers_are_not_given_again(
    journal: AnyJournal,
) -> None:
    journal.append([*log_records(2, stream=OTHER), *log_records(3)])
    assert journal.forget(STREAM) == 3
    assert journal.spans(STREAM) == []
    assert list(journal.checkpoints()) == [OTHER]
    assert [stored.sequence for _, stored in journal.unpublished()] == [1, 2]
    assert journal.usage().frames == 2
    journal.append(log_records(1))
    assert [stored.sequence for stored in everything(journal)] == [6]
    while journal.evict(0):
        pass
    assert [stored.sequence for stored in everything(journal)] == [6]
    assert journal.usage().evicted_frames == 0


def test_a_closed_journal_says_so(journal: AnyJournal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append(log_records(1))
    with pytest.raises(JournalError, match="closed"):
        journal.spans(STREAM)
