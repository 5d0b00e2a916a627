"""Heartbeats: when they are due and what they say, on a clock of the test's."""

from __future__ import annotations

from broker.bus.pulse import AFTER_END, JOIN_INTERVAL, Beat, Position, Pulse
from broker.frame import Frame, Kind, decode
from broker.journal import Record
from broker.topic import Stream
from tests.support.journal_records import log_frame, point_frame, record

ONE, TWELVE = Stream("ray", "job-1"), Stream("ray", "job-12")
INTERVAL = 15.0


def pulse(beats: dict[Stream, Beat] | None = None, http: str = "") -> Pulse:
    return Pulse("b1", INTERVAL, (beats or {}).get, http)


def due(of: Pulse, now: float) -> dict[Stream, Frame]:
    """The heartbeats that are sent now."""
    found = of.due(now, int(now * 1e9))
    assert len(dict(found)) == len(found)
    return {stream: decode(payload) for stream, payload in found}


def lines(first: int, following: int, stream: Stream = ONE) -> Record:
    return record(log_frame(first, following, stream))


def point(kind: Kind, at: int, stream: Stream = ONE) -> Record:
    return record(point_frame(kind, at, stream))


def test_a_silent_stream_is_told_of_every_interval() -> None:
    it = pulse()
    it.follow(ONE, "e", 7, 0.0)
    assert due(it, INTERVAL - 0.1) == {}
    assert due(it, INTERVAL)[ONE].first == 7
    assert due(it, 2 * INTERVAL - 0.1) == {}
    assert due(it, 2 * INTERVAL).keys() == {ONE}


def test_a_stream_that_prints_needs_no_heartbeat() -> None:
    it = pulse()
    for second in range(60):
        it.published([lines(second, second + 1)], float(second))
        assert due(it, second + 0.9) == {}


def test_it_stands_where_the_last_frame_that_was_handed_out_ends() -> None:
    it = pulse({ONE: Beat("streaming", "RUNNING", 5)}, http="http://127.0.0.1:8270")
    it.published([lines(0, 10), lines(10, 25)], 1.0)
    found = due(it, 1.0 + INTERVAL)[ONE]
    assert (found.kind, found.first, found.next) == ("heartbeat", 25, 25)
    assert (found.epoch, found.broker, found.ts) == ("aaaaaaaaaaaa", "b1", 16_000_000_000)
    assert (found.state, found.status, found.run) == ("streaming", "RUNNING", 5)
    assert found.http == "http://127.0.0.1:8270"
    assert it.position(ONE) == Position("aaaaaaaaaaaa", 25, False)


def test_following_what_is_known_already_moves_nothing() -> None:
    it = pulse()
    it.published([lines(0, 10)], 1.0)
    it.follow(ONE, "", 0, 2.0)
    assert it.position(ONE) == Position("aaaaaaaaaaaa", 10, False)


def test_a_join_is_answered_at_once_for_what_it_covers_only() -> None:
    it = pulse()
    for stream in (ONE, TWELVE):
        it.follow(stream, "", 0, 0.0)
    it.join([ONE.topic])
    assert due(it, 1.0).keys() == {ONE}
    it.join([b"ray/"])
    assert due(it, 5.0).keys() == {ONE, TWELVE}
    it.join([b"other/"])
    assert due(it, 9.0) == {}
    assert due(it, 9.1) == {}


def test_many_joins_at_once_get_one_heartbeat_and_late_ones_the_next_second() -> None:
    it = pulse()
    it.follow(ONE, "", 0, 0.0)
    it.join([b""] * 100)
    assert len(due(it, 1.0)) == 1
    it.join([ONE.topic])
    assert due(it, 1.1) == {}
    assert due(it, 1.0 + JOIN_INTERVAL - 0.01) == {}
    assert len(due(it, 1.0 + JOIN_INTERVAL)) == 1
    assert due(it, 1.0 + 2 * JOIN_INTERVAL) == {}


def test_a_join_s_heartbeat_counts_as_the_interval_s() -> None:
    it = pulse()
    it.follow(ONE, "", 0, 0.0)
    it.join([b""])
    due(it, 10.0)
    assert due(it, INTERVAL) == {}
    assert len(due(it, 10.0 + INTERVAL)) == 1


def test_an_ended_stream_is_told_of_for_ten_minutes() -> None:
    it = pulse({ONE: Beat("ended", "SUCCEEDED", 5)})
    it.published([lines(0, 10), point("end", 10)], 1.0)
    assert due(it, 1.0 + INTERVAL)[ONE].state == "ended"
    assert it.position(ONE) == Position("aaaaaaaaaaaa", 10, True)
    assert len(due(it, AFTER_END)) == 1
    assert due(it, 1.0 + AFTER_END + 0.1) == {}
    assert it.position(ONE) is None


def test_a_job_that_goes_on_after_its_end_is_told_of_again() -> None:
    it = pulse()
    it.published([point("end", 10)], 1.0)
    it.published([point("status", 10)], 2.0)
    assert len(due(it, 2.0 + 2 * AFTER_END)) == 1


def test_a_worker_ahead_of_the_bus_is_not_said_to_have_ended() -> None:
    it = pulse({ONE: Beat("ended", "SUCCEEDED", 5)})
    it.published([lines(0, 10)], 1.0)
    assert due(it, 20.0)[ONE].state == "streaming"


def test_a_stream_that_nobody_describes_waits() -> None:
    it = pulse()
    it.follow(ONE, "", 0, 0.0)
    assert due(it, INTERVAL)[ONE].state == "waiting"


def test_what_is_forgotten_is_told_of_no_more() -> None:
    it = pulse()
    it.follow(ONE, "", 0, 0.0)
    it.forget(ONE)
    it.forget(ONE)
    it.join([b""])
    assert due(it, INTERVAL) == {}
    assert it.position(ONE) is None
