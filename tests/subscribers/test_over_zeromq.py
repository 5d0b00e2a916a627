"""`Subscription` over ZeroMQ, with brokers on real sockets."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from broker.errors import ClientError
from broker.frame import Frame, replace
from broker.topic import Stream
from subscribers import Subscription
from tests.subscribers.frames import gaps, is_end, numbers, reaches, until
from tests.support.fake_broker import FakeBroker
from tests.support.journal_records import (
    EPOCH,
    OTHER,
    STREAM,
    gap_frame,
    log_frame,
    point_frame,
)
from tests.support.wait import wait_until


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


def subscription(*brokers: FakeBroker, **options: object) -> Subscription:
    options = {"jobs": str(STREAM), "repair_timeout": 5.0, **options}
    return Subscription(
        zeromq=[broker.endpoint for broker in brokers],
        brokers=[broker.http for broker in brokers],
        **options,  # type: ignore[arg-type]
    )


def joined(broker: FakeBroker) -> None:
    wait_until(lambda: broker.joins, message="the subscriber joins")


def logs(first: int, following: int, size: int = 10, stream: Stream = STREAM) -> list[Frame]:
    return [log_frame(line, line + size, stream) for line in range(first, following, size)]


def test_begin_replays_the_log_and_goes_on_live(broker: FakeBroker) -> None:
    broker.publish(*logs(0, 1000), live=False)
    with subscription(broker, start="begin") as frames:
        got = until(frames, reaches(1000))
        broker.publish(*logs(1000, 2000))
        got += until(frames, reaches(2000))
        assert numbers(got) == list(range(2000))
        assert gaps(got) == []


def test_there_is_no_seam_while_the_job_prints(broker: FakeBroker) -> None:
    broker.publish(*logs(0, 3000), live=False)
    writer = threading.Thread(target=lambda: broker.publish(*logs(3000, 9000)))
    with subscription(broker, start="begin") as frames:
        writer.start()
        got = until(frames, reaches(9000))
        writer.join()
        assert numbers(got) == list(range(9000))


def test_live_begins_where_the_job_is(broker: FakeBroker) -> None:
    broker.publish(*logs(0, 1000), live=False)
    with subscription(broker) as frames:
        joined(broker)
        assert frames.receive(0.3) is None
        broker.publish(*logs(1000, 1100))
        assert numbers(until(frames, reaches(1100))) == list(range(1000, 1100))


def test_a_negative_start_brings_the_last_lines(broker: FakeBroker) -> None:
    broker.publish(*logs(0, 1000), live=False)
    with subscription(broker, start=-25) as frames:
        assert numbers(until(frames, reaches(1000))) == list(range(975, 1000))


def test_frames_lost_on_the_way_come_from_the_journal_in_order(broker: FakeBroker) -> None:
    with subscription(broker, start="begin") as frames:
        joined(broker)
        broker.publish(*logs(0, 100))
        broker.publish(*logs(100, 500), live=False)
        broker.publish(*logs(500, 600))
        got = until(frames, reaches(600))
        assert numbers(got) == list(range(600))
        assert frames.stats.gaps == 0


def test_a_loss_at_the_tail_shows_with_the_heartbeat(broker: FakeBroker) -> None:
    with subscription(broker, start="begin") as frames:
        joined(broker)
        broker.publish(*logs(0, 100))
        until(frames, reaches(100))
        broker.publish(*logs(100, 200), live=False)
        broker.heartbeat(STREAM)
        assert numbers(until(frames, reaches(200))) == list(range(100, 200))


def test_silence_makes_it_ask_where_the_stream_stands(broker: FakeBroker) -> None:
    with subscription(broker, start="begin", heartbeat_interval=0.2) as frames:
        joined(broker)
        broker.publish(*logs(0, 100))
        until(frames, reaches(100))
        broker.publish(*logs(100, 200), live=False)
        assert numbers(until(frames, reaches(200))) == list(range(100, 200))


def test_a_gap_that_no_journal_fills_is_delivered_with_its_reason(broker: FakeBroker) -> None:
    with subscription(broker, start="begin") as frames:
        joined(broker)
        broker.publish(*logs(0, 10), gap_frame(10, 20), *logs(20, 30))
        got = until(frames, reaches(30))
        assert numbers(got) == [*range(10), *range(20, 30)]
        assert gaps(got) == [(10, 20, "limit")]


def test_a_second_brokers_journal_fills_the_gap_of_the_first(broker: FakeBroker) -> None:
    with FakeBroker("b") as standby:
        standby.publish(*logs(0, 30), live=False)
        broker.publish(*logs(0, 10), gap_frame(10, 20), *logs(20, 30), live=False)
        with subscription(broker, standby, start="begin") as frames:
            got = until(frames, reaches(30))
            assert numbers(got) == list(range(30))
            assert gaps(got) == []


def test_two_brokers_one_killed_nothing_is_lost_or_repeated(broker: FakeBroker) -> None:
    with FakeBroker("b") as standby, subscription(broker, standby, start="begin") as frames:
        joined(broker)
        joined(standby)
        for each in (broker, standby):
            each.publish(*logs(0, 100))
        got = until(frames, reaches(100))
        broker.crash()
        begun = time.monotonic()
        standby.publish(*logs(100, 200))
        got += until(frames, reaches(200))
        assert time.monotonic() - begun < 5.0
        broker.restart()
        assert numbers(got) == list(range(200))


def test_it_goes_on_after_the_broker_restarts(broker: FakeBroker) -> None:
    with subscription(broker, start="begin") as frames:
        joined(broker)
        broker.publish(*logs(0, 100))
        until(frames, reaches(100))
        broker.crash()
        wait_until(lambda: frames.receive(0.02) is None and not frames.connected)
        broker.publish(*logs(100, 200), live=False)
        broker.restart()
        assert numbers(until(frames, reaches(200))) == list(range(100, 200))
        assert frames.stats.reconnects == 1


def test_a_journal_that_is_away_for_a_while_is_waited_for(broker: FakeBroker) -> None:
    broker.publish(*logs(0, 100), live=False)
    broker.http_down = True
    with subscription(broker, start="begin") as frames:
        joined(broker)
        broker.publish(*logs(100, 110))
        assert frames.receive(0.5) is None
        broker.http_down = False
        assert numbers(until(frames, reaches(110))) == list(range(110))


def test_a_journal_that_stays_away_leaves_a_gap_that_says_so(broker: FakeBroker) -> None:
    broker.http_down = True
    with subscription(broker, start="begin", repair_timeout=0.3) as frames:
        joined(broker)
        broker.publish(*logs(50, 60))
        got = until(frames, reaches(60))
        assert gaps(got) == [(0, 50, "unreachable")]
        assert "restarting" in got[0].message
        assert numbers(got) == list(range(50, 60))


def test_a_job_that_is_over_yields_its_end(broker: FakeBroker) -> None:
    broker.publish(*logs(0, 100), point_frame("end", 100), live=False)
    with subscription(broker) as frames:
        (end,) = until(frames, is_end)
        assert (end.first, end.status, end.complete) == (100, "SUCCEEDED", True)
        assert frames.receive(0.3) is None


@pytest.mark.parametrize("listed", [True, False])
def test_a_job_that_is_over_yields_its_end_where_the_start_is_beyond_it(
    broker: FakeBroker, listed: bool
) -> None:
    broker.publish(*logs(0, 100), point_frame("end", 100), live=False)
    if not listed:
        broker.views.clear()
    with subscription(broker, start=500) as frames:
        (end,) = until(frames, is_end)
        assert (end.first, end.status, end.complete) == (100, "SUCCEEDED", True)
        assert frames.receive(0.3) is None


def test_a_running_job_yields_its_end_where_the_start_is_beyond_it(broker: FakeBroker) -> None:
    broker.publish(*logs(0, 10), live=False)
    with subscription(broker, start=500) as frames:
        joined(broker)
        broker.publish(*logs(10, 50), point_frame("end", 50))
        assert [frame.kind for frame in until(frames, is_end)] == ["end"]


def test_a_lost_end_is_found(broker: FakeBroker) -> None:
    with subscription(broker, start="begin", heartbeat_interval=0.2) as frames:
        joined(broker)
        broker.publish(*logs(0, 100))
        broker.publish(point_frame("end", 100), live=False)
        got = until(frames, is_end)
        assert numbers(got) == list(range(100))
        assert [frame.kind for frame in got].count("end") == 1


def test_it_finds_the_journal_by_the_heartbeats() -> None:
    with FakeBroker(tell_http=True) as broker:
        broker.publish(*logs(0, 100), live=False)
        with Subscription(str(STREAM), zeromq=broker.endpoint, start="begin") as frames:
            assert numbers(until(frames, reaches(100))) == list(range(100))


def test_a_job_does_not_receive_what_another_with_its_prefix_prints(broker: FakeBroker) -> None:
    with subscription(broker, jobs=STREAM.job, start="begin") as frames:
        joined(broker)
        broker.publish(*logs(0, 50, stream=OTHER), *logs(0, 50), point_frame("end", 50))
        assert {frame.job for frame in until(frames, is_end)} == {STREAM.job}


def test_a_glob_receives_jobs_that_come_later(broker: FakeBroker) -> None:
    with subscription(broker, jobs="ray/job-*") as frames:
        joined(broker)
        broker.publish(*logs(0, 50), *logs(0, 50, stream=OTHER))
        got = until(frames, lambda frame: frame.job == OTHER.job and frame.next == 50)
        assert {frame.job for frame in got} == {STREAM.job, OTHER.job}


def test_a_file_that_came_and_went_while_the_broker_was_not_heard_comes_from_the_journal(
    broker: FakeBroker,
) -> None:
    with subscription(broker, start="begin") as frames:
        joined(broker)
        broker.publish(*logs(0, 20))
        until(frames, reaches(20))
        broker.publish(log_frame(20, 22), log_frame(0, 10, epoch="b" * 12), live=False)
        broker.publish(log_frame(0, 5, epoch="c" * 12))
        missing = {(EPOCH, 22), ("b" * 12, 10), ("c" * 12, 5)}

        def all_came(frame: Frame) -> bool:
            missing.discard((frame.epoch, frame.next))
            return not missing

        assert gaps(until(frames, all_came)) == []


def test_a_new_file_under_the_same_id_is_another_epoch(broker: FakeBroker) -> None:
    with subscription(broker, start="begin") as frames:
        joined(broker)
        broker.publish(*logs(0, 50))
        until(frames, reaches(50))
        broker.publish(Frame("reset", *STREAM, 0, 0, epoch="b" * 12, reason="truncated"))
        broker.publish(log_frame(0, 10, epoch="b" * 12))
        got = until(frames, lambda frame: frame.epoch != EPOCH and frame.next == 10)
        assert [(frame.kind, frame.first) for frame in got] == [("reset", 0), ("log", 0)]


def test_a_frame_of_another_version_is_said_once_and_the_rest_goes_on(broker: FakeBroker) -> None:
    with subscription(broker, start="begin") as frames:
        joined(broker)
        for _ in range(3):
            broker._orders.send_multipart([STREAM.topic, b"\x81\xa1v\x02"])
        broker.publish(*logs(0, 10))
        got = until(frames, reaches(10))
        assert [frame.kind for frame in got] == ["error", "log"]
        assert "version 2" in got[0].message
        assert frames.stats.bad_frames == 3


def test_a_slow_reader_drops_live_frames_and_reads_them_from_the_journal(
    broker: FakeBroker,
) -> None:
    with subscription(broker, start="begin", buffer_bytes=40_000) as frames:
        joined(broker)
        broker.publish(*logs(0, 10))
        got = until(frames, reaches(10))
        broker.publish(*logs(10, 30_010, size=30))
        wait_until(lambda: frames._inbox._dropped > 0)
        got += until(frames, reaches(30_010))
        assert numbers(got) == list(range(30_010))
        assert frames.stats.dropped > 0
        assert gaps(got) == []


def test_an_amended_last_line_comes_again(broker: FakeBroker) -> None:
    with subscription(broker, start="begin") as frames:
        joined(broker)
        broker.publish(log_frame(0, 5, partial=True), point_frame("end", 5))
        until(frames, is_end)
        broker.publish(replace(log_frame(4, 6), amends=True))
        again = until(frames, reaches(6))  # in one frame, or by replay in two
        assert (again[0].first, again[0].amends) == (4, True)
        assert numbers(again) == [4, 5]
        assert [line for frame in again for line in frame.lines] == log_frame(4, 6).lines


def test_close_from_another_thread_ends_the_iteration_at_once(broker: FakeBroker) -> None:
    before = threading.active_count()
    frames = subscription(broker)
    threading.Timer(0.1, frames.close).start()
    begun = time.monotonic()
    assert list(frames) == []
    assert time.monotonic() - begun < 5.0
    wait_until(lambda: threading.active_count() <= before, message="its threads end")


def test_a_timeout_raises_408_and_the_iteration_may_go_on(broker: FakeBroker) -> None:
    with subscription(broker, timeout=0.2, start="begin") as frames:
        with pytest.raises(ClientError, match="no frame for"):
            next(frames)
        broker.publish(*logs(0, 10))
        wait_until(lambda: frames.receive(0.1))


def test_it_can_be_iterated_asynchronously(broker: FakeBroker) -> None:
    broker.publish(*logs(0, 1000), point_frame("end", 1000), live=False)

    async def read(frames: Subscription) -> list[Frame]:
        got = []
        async for frame in frames:
            got.append(frame)
            if frame.kind == "end":
                break
        return got

    with subscription(broker, start="begin") as frames:
        assert numbers(asyncio.run(read(frames))) == list(range(1000))


def test_who_leaves_an_asynchronous_loop_goes_on_at_the_next_frame(broker: FakeBroker) -> None:
    broker.publish(*logs(0, 1000), point_frame("end", 1000), live=False)

    async def first(frames: Subscription) -> Frame:
        async for frame in frames:
            return frame
        raise AssertionError

    with subscription(broker, start="begin") as frames:
        got = [asyncio.run(first(frames))]
        while got[-1].kind != "end":
            got.append(asyncio.run(first(frames)))
        assert numbers(got) == list(range(1000))


def test_a_journal_that_is_away_is_waited_for_though_another_answers(broker: FakeBroker) -> None:
    with FakeBroker("b") as standby:
        broker.publish(*logs(0, 30), live=False)
        standby.publish(*logs(0, 10), gap_frame(10, 20), *logs(20, 30), live=False)
        broker.http_down = True
        with subscription(broker, standby, start="begin") as frames:
            until(frames, reaches(10))
            assert frames.receive(0.3) is None
            broker.http_down = False
            assert numbers(until(frames, reaches(30))) == list(range(10, 30))


@pytest.mark.parametrize(
    "arguments",
    [
        {"jobs": "job"},
        {"jobs": "job", "zeromq": "tcp://127.0.0.1:1", "redis": "redis://localhost"},
        {"jobs": [], "zeromq": "tcp://127.0.0.1:1"},
        {"jobs": "a/b/c", "zeromq": "tcp://127.0.0.1:1"},
        {"jobs": "job", "zeromq": "nonsense"},
        {"jobs": "job", "redis": "http://127.0.0.1"},
        {"jobs": "job", "zeromq": "tcp://127.0.0.1:1", "brokers": "127.0.0.1:8270"},
        {"jobs": "job", "zeromq": "tcp://127.0.0.1:1", "start": "end"},
    ],
)
def test_a_bad_argument_is_refused_at_once(arguments: dict[str, object]) -> None:
    with pytest.raises(ClientError) as caught:
        Subscription(**arguments)  # type: ignore[arg-type]
    assert caught.value.status == 400


def test_from_positions_it_goes_on_where_an_earlier_one_stopped(broker: FakeBroker) -> None:
    new = Stream("ray", "new-1")
    broker.publish(*logs(0, 500), live=False)
    reached = {str(STREAM): (EPOCH, 123)}
    with subscription(broker, jobs="ray/*", positions=reached) as frames:
        got = until(frames, reaches(500))
        broker.publish(*logs(500, 510), *logs(0, 10, stream=new))
        got += until(frames, lambda frame: frame.job == new.job)
        assert numbers([frame for frame in got if frame.job == STREAM.job]) == [*range(123, 510)]


def test_a_position_in_a_job_that_ended_meanwhile_gets_its_rest_and_its_end(
    broker: FakeBroker,
) -> None:
    broker.publish(*logs(0, 100), point_frame("end", 100), live=False)
    with subscription(broker, positions={str(STREAM): (EPOCH, 90)}) as frames:
        got = until(frames, is_end)
        assert numbers(got) == list(range(90, 100))


def test_a_position_outside_of_what_is_subscribed_to_is_refused() -> None:
    with pytest.raises(ClientError, match="positions: 'default/other'"):
        Subscription(
            "default/job", zeromq="tcp://127.0.0.1:1", positions={"default/other": ("", 0)}
        )
