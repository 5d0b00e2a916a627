"""What one client has of each log."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from broker.frame import Frame, replace
from subscribers.dashboard.positions import Hole, Place, Positions
from tests.support.journal_records import (
    EPOCH,
    STREAM,
    gap_frame,
    log_frame,
    point_frame,
    text,
)

PLACE = Place(STREAM, EPOCH)


def begun(line: int, *, is_open: bool = False) -> Positions:
    positions = Positions()
    positions.begin(PLACE, line, is_open=is_open)
    return positions


def take(positions: Positions, frame: Frame, *, replayed: bool = False) -> Frame | Hole | None:
    return positions.take(frame, Place.of(frame), replayed=replayed)


def test_the_first_frame_of_a_place_that_was_not_begun_says_where_it_begins() -> None:
    positions = Positions()
    frame = log_frame(50, 60)
    assert take(positions, frame) is frame
    assert positions.next(PLACE) == 60


def test_what_follows_passes_as_the_very_same_frame() -> None:
    frame = log_frame(10, 20)
    assert take(begun(10), frame) is frame


def test_what_was_had_is_nothing() -> None:
    positions = begun(20)
    assert take(positions, log_frame(10, 20)) is None
    assert positions.next(PLACE) == 20


def test_what_was_had_in_part_is_trimmed() -> None:
    fresh = take(begun(15), log_frame(10, 20))
    assert isinstance(fresh, Frame)
    assert (fresh.first, fresh.lines[0]) == (15, text(15))


def test_a_frame_beyond_shows_a_hole_and_changes_nothing() -> None:
    positions = begun(10)
    assert take(positions, log_frame(20, 30)) == Hole(PLACE, 10, 20)
    assert take(positions, gap_frame(12, 20)) == Hole(PLACE, 10, 12)
    assert take(positions, point_frame("end", 30)) == Hole(PLACE, 10, 30)
    assert positions.next(PLACE) == 10


def test_a_gap_is_had_once_it_was_told() -> None:
    positions = begun(10)
    assert take(positions, gap_frame(5, 20)) == gap_frame(10, 20)
    assert take(positions, log_frame(10, 20)) is None


def test_another_epoch_is_another_place() -> None:
    positions = begun(100)
    other = log_frame(0, 10, epoch="bbbbbbbbbbbb")
    assert take(positions, other) is other


def test_a_line_that_grew_replaces_the_part_that_was_sent() -> None:
    positions = begun(0)
    take(positions, log_frame(0, 10, partial=True))
    amended = log_frame(9, 12, amends=True)
    assert take(positions, amended) is amended
    assert take(positions, amended) is None


def test_a_line_that_was_replayed_whole_is_not_replaced_again_by_the_live_frame() -> None:
    positions = begun(0)
    take(positions, log_frame(0, 10), replayed=True)
    assert take(positions, log_frame(9, 10, amends=True)) is None
    fresh = take(positions, log_frame(9, 12, amends=True))
    assert isinstance(fresh, Frame)
    assert (fresh.first, fresh.next, fresh.amends) == (10, 12, False)


def test_a_line_that_is_open_never_becomes_shorter() -> None:
    positions = begun(0)
    take(positions, log_frame(0, 10, partial=True))
    shorter = replace(log_frame(9, 10, partial=True, amends=True), lines=["li"])
    longer = replace(log_frame(9, 10, partial=True, amends=True), lines=["line 000"])
    assert take(positions, shorter) is None
    assert take(positions, longer) is longer


def test_a_replay_that_holds_an_open_line_whole_amends_it() -> None:
    fresh = take(begun(10, is_open=True), log_frame(5, 15), replayed=True)
    assert isinstance(fresh, Frame)
    assert (fresh.first, fresh.next, fresh.amends) == (9, 15, True)


def test_what_was_replayed_is_not_said_again_when_it_comes_live() -> None:
    positions = begun(10)
    end = point_frame("end", 10)
    assert take(positions, end, replayed=True) is end
    positions.settled()
    assert take(positions, end) is None


def test_what_is_before_the_beginning_was_said_to_this_client_before() -> None:
    positions = begun(10)
    assert take(positions, point_frame("status", 5)) is None
    positions.settled()
    assert take(positions, point_frame("status", 5)) is not None


def test_places_come_the_most_recent_first() -> None:
    positions = Positions()
    for epoch in ("a", "b", "c"):
        take(positions, log_frame(0, 5, epoch=epoch, partial=epoch == "b"))
    take(positions, log_frame(5, 6, epoch="a"))
    assert positions.recent(2) == [
        (Place(STREAM, "a"), 6, False),
        (Place(STREAM, "c"), 5, False),
    ]
    assert len(positions) == 3


@st.composite
def cut(draw: st.DrawFn, length: int) -> list[Frame]:
    """The log's lines as frames, cut anywhere."""
    edges = sorted({0, length, *draw(st.lists(st.integers(0, length), max_size=8))})
    return [log_frame(first, until) for first, until in pairwise(edges)]


@given(cut(60), cut(60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_replayed_and_live_frames_give_each_line_once_however_they_overlap(
    replayed: list[Frame], live: list[Frame], start: int, journal_end: int, live_begin: int
) -> None:
    positions = begun(start)
    got: list[int] = []

    def feed(frames: list[Frame]) -> None:
        for frame in frames:
            fresh = take(positions, frame)
            while isinstance(fresh, Hole):  # the journal has what was published before
                feed([log_frame(fresh.first, fresh.next)])
                fresh = take(positions, frame)
            if fresh is not None:
                got.extend(range(fresh.first, fresh.next))
                assert fresh.lines == [text(line) for line in range(fresh.first, fresh.next)]

    feed([frame for frame in replayed if start <= frame.first and frame.next <= journal_end])
    feed([frame for frame in live if frame.first >= live_begin])
    assert got == list(range(start, start + len(got)))
