"""`--since`: the place in a log, found by few questions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.frame import Frame, replace
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.replay import JournalClient
from subscribers.tail.place import Place
from subscribers.tail.since import line_since
from tests.support.fake_broker import FakeBroker
from tests.support.journal_records import EPOCH, SECOND, STREAM, gap_frame, log_frame


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


def found(broker: FakeBroker, seconds: float) -> int:
    with closing(JournalClient(broker.http)) as client:
        return line_since(client, broker.views[STREAM], round(seconds * SECOND))


def test_it_is_the_first_line_that_was_read_then(broker: FakeBroker) -> None:
    for n in range(10):
        broker.keep(log_frame(n * 10, n * 10 + 10, ts=(n + 1) * SECOND))
    assert [found(broker, at) for at in (0, 1, 1.5, 5, 10, 10.5)] == [0, 0, 10, 40, 90, 100]


def test_a_long_log_is_halved_and_not_read(broker: FakeBroker) -> None:
    for n in range(400):
        broker.keep(log_frame(n * 500, n * 500 + 500, ts=(n + 1) * SECOND))
    before = len(broker.asked)
    assert found(broker, 123) == 122 * 500
    asked = broker.asked[before:]
    assert len(asked) <= 11
    assert all("limit=" in path for path in asked)


def test_a_silent_job_is_known_from_the_list_alone(broker: FakeBroker) -> None:
    broker.keep(log_frame(0, 10, ts=SECOND))
    broker.views[STREAM] = JobView(
        *STREAM, "waiting", epoch=EPOCH, next=10, last_frame_ts=SECOND
    )  # fmt: skip
    assert found(broker, 2) == 10
    assert broker.asked == []


def test_a_log_without_lines_is_not_asked_for(broker: FakeBroker) -> None:
    broker.views[STREAM] = JobView(*STREAM, "waiting", epoch=EPOCH)
    assert found(broker, 2) == 0


def test_lines_of_which_the_time_is_not_known_count_as_older(broker: FakeBroker) -> None:
    broker.keep(log_frame(0, 3000, ts=0))
    broker.keep(replace(gap_frame(3000, 4000, "evicted"), ts=0))
    broker.keep(log_frame(4000, 4100, ts=9 * SECOND))
    assert found(broker, 0.5) == 4000


def test_a_gap_has_a_time_too_and_is_told(broker: FakeBroker) -> None:
    broker.keep(log_frame(0, 10, ts=SECOND))
    broker.keep(replace(gap_frame(10, 20), ts=5 * SECOND))
    broker.keep(log_frame(20, 30, ts=6 * SECOND))
    assert [found(broker, at) for at in (1, 3, 5.5, 7)] == [0, 10, 20, 30]


def test_a_log_whose_last_lines_have_no_time_is_looked_through(broker: FakeBroker) -> None:
    broker.keep(log_frame(0, 10, ts=SECOND))
    broker.keep(log_frame(10, 20, ts=5 * SECOND))
    broker.keep(replace(gap_frame(20, 30, "evicted"), ts=0))
    assert [found(broker, at) for at in (3, 7)] == [10, 30]


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(0, 5)), min_size=1, max_size=12),
       st.integers(0, 40))  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_it_is_what_reading_all_of_it_would_find(sizes: list[tuple[int, int]], since: int) -> None:
    frames: list[Frame] = []
    line, now = 0, 1
    for size, pause in sizes:
        now += pause
        frames.append(log_frame(line, line + size, ts=now))
        line += size
    with FakeBroker() as broker, closing(JournalClient(broker.http)) as client:
        for frame in frames:
            broker.keep(frame)
        expected = next((f.first for f in frames if f.ts >= since), line)
        assert line_since(client, broker.views[STREAM], since) == expected


VIEW = JobView(*STREAM, "streaming", epoch=EPOCH, next=100)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (Place("begin"), 0),
        (Place("live"), 100),
        (Place(-10), 90),
        (Place(-1000), 0),
        (Place(40), 40),
        (Place("begin", {STREAM: 70}), 70),
        (Place(-10, {STREAM: 70}), 90),
        (Place(-50, {STREAM: 70}), 70),
        (Place("begin", {Stream("ray", "other"): 70}), 0),
    ],
)
def test_a_place_is_a_line_of_each_job(place: Place, line: int) -> None:
    assert place.line(VIEW) == line


def test_positions_are_of_the_jobs_whose_place_was_looked_for() -> None:
    assert Place(-10).positions([VIEW]) == {}
    other = JobView("ray", "other", "streaming", epoch=EPOCH, next=5)
    assert Place("begin", {STREAM: 70}).positions([VIEW, other]) == {str(STREAM): (EPOCH, 70)}


def test_a_last_line_that_is_older_is_asked_for_because_it_may_grow_and_not_shown() -> None:
    place = Place("begin", {STREAM: 100}, 5 * SECOND)
    assert place.positions([VIEW]) == {str(STREAM): (EPOCH, 99)}
    assert place.line(VIEW) == 100
    assert place.is_before(log_frame(99, 100, ts=4 * SECOND))
    assert not place.is_before(log_frame(99, 100, ts=6 * SECOND))  # it has grown
    assert not place.is_before(log_frame(100, 101, ts=4 * SECOND))
    assert not place.is_before(log_frame(5, 6, Stream("ray", "other"), ts=SECOND))
