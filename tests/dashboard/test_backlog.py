"""What waits for one client."""

from __future__ import annotations

from broker.frame import Frame
from subscribers.dashboard.backlog import Backlog
from subscribers.dashboard.live_frame import Batch, LiveFrame
from subscribers.dashboard.page_frame import marked
from subscribers.dashboard.positions import Place
from tests.support.journal_records import EPOCH, STREAM, log_frame, point_frame

PLACE = Place(STREAM, EPOCH)
ALL = 1 << 30


def batch(*frames: Frame) -> Batch:
    return Batch([LiveFrame.of(frame, marked(frame, None)) for frame in frames])


def firsts(lives: list[LiveFrame]) -> list[int]:
    return [live.frame.first for live in lives]


def test_frames_come_out_in_order_and_the_room_is_given_back() -> None:
    backlog = Backlog(ALL)
    backlog.put(batch(log_frame(0, 10), log_frame(10, 20)))
    backlog.put(batch(log_frame(20, 30)))
    assert firsts(backlog.take(ALL)) == [0, 10, 20]
    assert (backlog.size, len(backlog)) == (0, 0)


def test_no_more_is_taken_than_was_asked_for_but_one_frame_always() -> None:
    backlog = Backlog(ALL)
    whole = batch(*(log_frame(line, line + 1) for line in range(10)))
    one = whole.frames[0].size
    backlog.put(whole)
    assert firsts(backlog.take(1)) == [0]
    assert firsts(backlog.take(3 * one)) == [1, 2, 3]
    assert backlog.size == sum(live.size for live in whole.frames[4:])
    assert firsts(backlog.take(ALL)) == [4, 5, 6, 7, 8, 9]


def test_what_is_given_back_comes_first_again() -> None:
    backlog = Backlog(ALL)
    backlog.put(batch(*(log_frame(line, line + 1) for line in range(5))))
    size = backlog.size
    taken = backlog.take(2 * size // 5)
    backlog.give_back(taken[1:])
    assert firsts(backlog.take(ALL)) == [1, 2, 3, 4]
    assert backlog.size == 0


def test_one_batch_always_fits() -> None:
    backlog = Backlog(1)
    assert backlog.put(batch(log_frame(0, 100)))
    assert firsts(backlog.take(ALL)) == [0]


def test_beyond_the_limit_the_older_ones_go_and_are_named() -> None:
    small = batch(log_frame(0, 10))
    backlog = Backlog(2 * small.size + 10)
    assert backlog.put(small)
    assert backlog.put(batch(log_frame(10, 20)))
    assert not backlog.put(batch(log_frame(20, 30)))
    assert backlog.dropped == {PLACE: (0, 20)}
    assert firsts(backlog.take(ALL)) == [20]
    assert backlog.size == 0


def test_what_goes_is_named_for_each_log_and_epoch() -> None:
    other = log_frame(5, 8, epoch="bbbbbbbbbbbb")
    backlog = Backlog(1000)
    backlog.put(batch(log_frame(0, 10), other, log_frame(10, 20)))
    assert not backlog.put(batch(log_frame(20, 30)))
    assert backlog.dropped == {PLACE: (0, 20), Place(STREAM, "bbbbbbbbbbbb"): (5, 8)}


def test_frames_without_lines_stay() -> None:
    first = batch(log_frame(0, 10), point_frame("end", 10))
    backlog = Backlog(4 * first.size)
    backlog.put(first)
    backlog.put(batch(log_frame(10, 100)))
    while backlog.put(batch(log_frame(100, 110))):
        pass
    assert [live.frame.kind for live in backlog.take(ALL)] == ["end", "log"]


def test_frames_without_lines_have_a_bound_too() -> None:
    end = batch(point_frame("end", 10))
    backlog = Backlog(8 * end.size)
    for _ in range(100):
        backlog.put(batch(point_frame("end", 10)))
    assert len(backlog.take(ALL)) <= 8
    assert backlog.dropped == {PLACE: (10, 10)}
