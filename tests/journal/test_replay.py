"""A journal read back: each line once, in order, and each hole said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from broker.errors import ClientError
from broker.frame import Frame, decode, encode, replace
from broker.journal.replay import Refill, replay
from broker.topic import Stream
from tests.journal.conftest import AnyJournal, MakeJournal
from tests.support.journal_records import (
    EPOCH,
    OTHER,
    SECOND,
    STREAM,
    gap_frame,
    log_frame,
    log_records,
    point_frame,
    record,
    text,
)

NEXT_EPOCH = "bbbbbbbbbbbb"


def fill(journal: AnyJournal, *frames: Frame) -> None:
    journal.append([record(frame) for frame in frames])


def told(frames: Iterator[Frame] | Sequence[Frame]) -> list[tuple[object, ...]]:
    """Each frame as (kind, first, next), a gap with its reason."""
    return [
        (frame.kind, frame.first, frame.next, *([frame.reason] if frame.reason else []))
        for frame in frames
    ]


def from_ray(frames: list[Frame], asked: list[tuple[int, int]]) -> Refill:
    """Reads from a Ray that has these frames, and notes what was asked of it."""

    def refill(stream: Stream, epoch: str, first: int, following: int) -> Iterator[Frame]:
        assert (stream, epoch) == (STREAM, EPOCH)
        asked.append((first, following))
        return iter(frames)

    return refill


def test_all_of_a_log_comes_back_as_it_was_stored(journal: AnyJournal) -> None:
    records = [*log_records(200), record(point_frame("end", 2000))]
    journal.append(records)
    found = replay(journal, STREAM)
    assert (found.epoch, found.first, found.next, found.complete) == (EPOCH, 0, 2000, True)
    assert list(found.payloads) == [one.payload for one in records]


def test_only_the_frames_at_the_seams_are_made_anew(journal: AnyJournal) -> None:
    records = log_records(5)
    journal.append(records)
    found = replay(journal, STREAM, start=5, limit=30)
    assert (found.first, found.next, found.complete) == (5, 35, False)
    payloads = list(found.payloads)
    assert payloads[1:3] == [one.payload for one in records[1:3]]
    assert told([decode(payload) for payload in payloads]) == [
        ("log", 5, 10),
        ("log", 10, 20),
        ("log", 20, 30),
        ("log", 30, 35),
    ]


def test_a_cut_frame_keeps_the_lone_carriage_returns_of_its_lines(journal: AnyJournal) -> None:
    fill(journal, replace(log_frame(0, 10), cr=[0, 3, 7], offset=140))
    (frame,) = replay(journal, STREAM, start=2, limit=5).frames
    assert (frame.first, frame.next, frame.cr, frame.offset) == (2, 7, [1], None)
    assert frame.lines == [text(line) for line in range(2, 7)]


def test_from_the_end_on_what_stands_there_is_given(journal: AnyJournal) -> None:
    fill(journal, log_frame(0, 10), point_frame("end", 10))
    found = replay(journal, STREAM, start=10)
    assert (found.first, found.next, found.complete) == (10, 10, True)
    assert told(found.frames) == [("end", 10, 10)]


def test_beyond_the_end_it_is_empty_and_tells_where_the_end_is(journal: AnyJournal) -> None:
    fill(journal, log_frame(0, 10), point_frame("end", 10))
    found = replay(journal, STREAM, start=500)
    assert (found.first, found.next, list(found.parts)) == (10, 10, [])


def test_what_follows_a_limit_begins_where_the_limit_ended(journal: AnyJournal) -> None:
    fill(journal, log_frame(0, 10), point_frame("status", 10), log_frame(10, 20))
    assert told(replay(journal, STREAM, limit=10).frames) == [("log", 0, 10)]
    assert told(replay(journal, STREAM, start=10, limit=10).frames) == [
        ("status", 10, 10),
        ("log", 10, 20),
    ]
    assert list(replay(journal, STREAM, start=10, limit=0).parts) == []


def test_repeated_and_overlapping_frames_come_out_once(journal: AnyJournal) -> None:
    fill(
        journal,
        log_frame(0, 10),
        log_frame(10, 20),
        log_frame(0, 10),
        log_frame(5, 15),
        log_frame(12, 30),
    )
    frames = list(replay(journal, STREAM).frames)
    assert [line for frame in frames for line in frame.lines] == [text(line) for line in range(30)]
    assert [frame.first for frame in frames[1:]] == [frame.next for frame in frames[:-1]]


def test_an_amended_line_comes_once_as_it_was_amended(journal: AnyJournal) -> None:
    fill(
        journal,
        log_frame(0, 10, partial=True),
        point_frame("end", 10),
        log_frame(9, 12, amends=True),
        point_frame("end", 12),
    )
    frames = list(replay(journal, STREAM).frames)
    assert [line for frame in frames for line in frame.lines] == [text(line) for line in range(12)]
    assert not any(frame.partial for frame in frames)
    assert told(frames) == [
        ("log", 0, 9),
        ("log", 9, 10),
        ("end", 10, 10),
        ("log", 10, 12),
        ("end", 12, 12),
    ]
    assert told(replay(journal, STREAM, start=9).frames) == told(frames[1:])
    end, tail = replay(journal, STREAM, start=10, limit=1).frames
    assert (end.kind, tail.first, tail.lines, tail.amends) == ("end", 10, [text(10)], False)


def test_a_line_that_was_partial_gives_way_to_a_whole_one_read_later(journal: AnyJournal) -> None:
    fill(journal, log_frame(0, 10, partial=True), log_frame(5, 12))
    frames = list(replay(journal, STREAM).frames)
    assert [line for frame in frames for line in frame.lines] == [text(line) for line in range(12)]


def test_a_last_line_without_its_end_stays_partial(journal: AnyJournal) -> None:
    fill(journal, log_frame(0, 10, partial=True), point_frame("end", 10))
    frames = list(replay(journal, STREAM).frames)
    assert frames[0].partial
    assert told(frames) == [("log", 0, 10), ("end", 10, 10)]


def test_what_was_evicted_comes_as_a_gap(make_journal: MakeJournal) -> None:
    journal = make_journal(max_age_s=10)
    journal.append(log_records(3, ts=SECOND))
    fill(journal, log_frame(30, 40, ts=100 * SECOND))
    while journal.evict(100 * SECOND):
        pass
    assert told(replay(journal, STREAM).frames) == [
        ("gap", 0, 30, "evicted"),
        ("log", 30, 40),
    ]
    assert told(replay(journal, STREAM, start=12, limit=8).frames) == [("gap", 12, 20, "evicted")]


def test_a_log_that_was_evicted_whole_is_one_gap_to_its_end(make_journal: MakeJournal) -> None:
    journal = make_journal(max_age_s=10)
    journal.append(log_records(3))
    while journal.evict(100 * SECOND):
        pass
    found = replay(journal, STREAM, start=7)
    assert (found.first, found.next) == (7, 30)
    assert told(found.frames) == [("gap", 7, 30, "evicted")]


def test_a_hole_that_nothing_explains_is_said_in_its_place(journal: AnyJournal) -> None:
    fill(journal, log_frame(0, 10), log_frame(20, 30), point_frame("error", 35))
    assert told(replay(journal, STREAM).frames) == [
        ("log", 0, 10),
        ("gap", 10, 20, "evicted"),
        ("log", 20, 30),
        ("gap", 30, 35, "evicted"),
        ("error", 35, 35),
    ]


def test_a_published_gap_is_passed_on_as_it_was(journal: AnyJournal) -> None:
    gap = gap_frame(10, 20, "source")
    fill(journal, log_frame(0, 10), gap, log_frame(20, 30))
    assert list(replay(journal, STREAM).payloads)[1] == encode(gap)
    assert told(replay(journal, STREAM, start=12, limit=3).frames) == [("gap", 12, 15, "source")]


def test_lines_win_over_the_gap_that_named_them(journal: AnyJournal) -> None:
    fill(journal, gap_frame(0, 100, "backfill"), log_frame(100, 110), log_frame(40, 60))
    assert told(replay(journal, STREAM, start=20).frames) == [
        ("gap", 20, 40, "backfill"),
        ("log", 40, 60),
        ("gap", 60, 100, "backfill"),
        ("log", 100, 110),
    ]


def test_inside_a_wide_gap_the_closest_one_gives_the_reason(journal: AnyJournal) -> None:
    fill(journal, gap_frame(0, 100, "backfill"), gap_frame(40, 60, "source"), log_frame(100, 110))
    assert told(replay(journal, STREAM).frames) == [
        ("gap", 0, 40, "backfill"),
        ("gap", 40, 60, "source"),
        ("gap", 60, 100, "backfill"),
        ("log", 100, 110),
    ]


def test_what_ray_still_has_fills_the_hole(journal: AnyJournal) -> None:
    fill(journal, log_frame(20, 30), gap_frame(30, 40, "limit"), log_frame(40, 50))
    asked: list[tuple[int, int]] = []
    refill = from_ray([log_frame(0, 15), log_frame(15, 60)], asked)
    frames = list(replay(journal, STREAM, start=5, refill=refill).frames)
    assert asked == [(5, 20), (30, 40)]
    assert [line for frame in frames for line in frame.lines] == [text(n) for n in range(5, 50)]


def test_what_ray_lost_itself_is_not_asked_of_it(journal: AnyJournal) -> None:
    fill(journal, gap_frame(0, 10, "source"), log_frame(10, 20))
    asked: list[tuple[int, int]] = []
    found = replay(journal, STREAM, refill=from_ray([log_frame(0, 10)], asked))
    assert told(found.frames) == [("gap", 0, 10, "source"), ("log", 10, 20)]
    assert asked == []


def test_where_ray_has_only_a_part_the_rest_is_a_gap(journal: AnyJournal) -> None:
    fill(journal, gap_frame(0, 30, "backfill"), log_frame(30, 40))
    refill = from_ray([log_frame(5, 10), log_frame(20, 25)], [])
    assert told(replay(journal, STREAM, refill=refill).frames) == [
        ("gap", 0, 5, "backfill"),
        ("log", 5, 10),
        ("gap", 10, 20, "backfill"),
        ("log", 20, 25),
        ("gap", 25, 30, "backfill"),
        ("log", 30, 40),
    ]


def test_a_ray_out_of_reach_leaves_gaps_and_is_asked_once(journal: AnyJournal) -> None:
    fill(journal, log_frame(10, 20), log_frame(30, 40))
    asked: list[int] = []

    def refill(stream: Stream, epoch: str, first: int, following: int) -> Iterator[Frame]:
        asked.append(first)
        yield log_frame(0, 5)
        raise ClientError(503, "the agent does not answer")

    assert told(replay(journal, STREAM, refill=refill).frames) == [
        ("log", 0, 5),
        ("gap", 5, 10, "evicted"),
        ("log", 10, 20),
        ("gap", 20, 30, "evicted"),
        ("log", 30, 40),
    ]
    assert asked == [0]


def test_the_newest_epoch_is_the_default(journal: AnyJournal) -> None:
    fill(
        journal,
        log_frame(0, 10),
        point_frame("status", 0, epoch=""),
        log_frame(0, 3, epoch=NEXT_EPOCH),
    )
    assert replay(journal, STREAM).epoch == NEXT_EPOCH
    assert told(replay(journal, STREAM, EPOCH).frames) == [("log", 0, 10)]


def test_a_job_that_printed_nothing_has_its_end(journal: AnyJournal) -> None:
    fill(journal, point_frame("status", 0, epoch=""), point_frame("end", 0, epoch=""))
    found = replay(journal, STREAM)
    assert (found.epoch, found.first, found.next, found.complete) == ("", 0, 0, True)
    assert told(found.frames) == [("status", 0, 0), ("end", 0, 0)]


def test_an_unknown_job_or_epoch_is_a_404_that_says_what_there_is(journal: AnyJournal) -> None:
    fill(journal, log_frame(0, 10))
    with pytest.raises(ClientError, match="job-12") as unknown:
        replay(journal, OTHER)
    with pytest.raises(ClientError, match=f"it has {EPOCH}") as epoch:
        replay(journal, STREAM, NEXT_EPOCH)
    assert (unknown.value.status, epoch.value.status) == (404, 404)


@pytest.mark.parametrize(("start", "limit"), [(-1, None), (0, -1)])
def test_negative_numbers_are_refused(journal: AnyJournal, start: int, limit: int | None) -> None:
    fill(journal, log_frame(0, 10))
    with pytest.raises(ClientError) as refused:
        replay(journal, STREAM, start=start, limit=limit)
    assert refused.value.status == 400


def test_what_is_forgotten_while_it_is_sent_becomes_a_gap(journal: AnyJournal) -> None:
    journal.append(log_records(40, size=5000))  # several pages
    frames = replay(journal, STREAM).frames
    assert next(frames).next == 5000
    journal.forget(STREAM)
    *_, last = frames
    assert (last.kind, last.next, last.reason) == ("gap", 200_000, "evicted")
