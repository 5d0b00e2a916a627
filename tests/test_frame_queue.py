"""The bounded queue in front of a transport."""

from __future__ import annotations

from broker.bus.frame_queue import FrameQueue, Outgoing
from broker.publisher import Message
from broker.topic import Stream

BIG, SMALL, OTHER = (Stream("default", name) for name in ("big", "small", "other"))


def frame(sequence: int, stream: Stream = BIG, size: int = 1) -> Outgoing:
    return Outgoing(sequence, stream, Message(stream.topic, bytes(size)))


def sequences(frames: list[Outgoing]) -> list[int]:
    return [item.sequence for item in frames]


def test_frames_leave_in_the_order_they_came_whatever_their_stream() -> None:
    queue = FrameQueue(10, 1000)
    queue.put([frame(1, BIG, 1), frame(2, SMALL, 2), frame(3, BIG, 3)])
    assert [len(message.payload) for message in queue.take(10, 1000)] == [1, 2, 3]


def test_a_batch_keeps_to_its_bounds_but_is_one_frame_at_least() -> None:
    queue = FrameQueue(10, 10_000)
    queue.put([frame(1, size=500), frame(2, size=100), frame(3, size=100), frame(4, size=100)])
    sizes = []
    while batch := queue.take(2, 150):
        sizes.append([len(message.payload) for message in batch])
        queue.settle()
    assert sizes == [[500], [100], [100], [100]]
    queue.put([frame(5 + n) for n in range(5)])
    assert len(queue.take(2, 150)) == 2


def test_too_many_frames_cost_the_oldest_of_the_stream_with_most_frames() -> None:
    queue = FrameQueue(4, 1000)
    queue.put([frame(1, SMALL, 200), frame(2), frame(3), frame(4)])
    assert sequences(queue.put([frame(5, OTHER)])) == [2]


def test_too_many_bytes_cost_the_oldest_of_the_stream_with_most_bytes() -> None:
    queue = FrameQueue(100, 1000)
    queue.put([frame(n, SMALL, 10) for n in range(1, 11)])
    queue.put([frame(11, BIG, 400), frame(12, BIG, 400)])
    assert sequences(queue.put([frame(13, OTHER, 200)])) == [11]
    assert queue.size == 700


def test_drops_go_round_among_streams_that_hold_alike() -> None:
    queue = FrameQueue(4, 1000)
    dropped = queue.put([frame(n, (BIG, SMALL)[n % 2]) for n in range(1, 9)])
    assert sequences(dropped) == [1, 2, 3, 4]


def test_the_newest_frame_is_kept_even_if_it_is_over_the_bound_alone() -> None:
    queue = FrameQueue(1, 10)
    queue.put([frame(1, size=5)])
    assert sequences(queue.put([frame(2, size=500)])) == [1]
    assert [len(message.payload) for message in queue.take(1, 10)] == [500]


def test_a_batch_given_back_waits_in_front_of_what_came_meanwhile() -> None:
    queue = FrameQueue(10, 1000)
    queue.put([frame(1, size=1), frame(2, size=2)])
    queue.take(10, 1000)
    queue.put([frame(3, size=3)])
    queue.give_back()
    assert [len(message.payload) for message in queue.take(10, 1000)] == [1, 2, 3]
    assert queue.settle() == (3, 6)
    assert (len(queue), queue.size) == (0, 0)


def test_a_batch_that_is_being_sent_counts_but_is_not_dropped() -> None:
    queue = FrameQueue(4, 1000)
    queue.put([frame(1), frame(2)])
    queue.take(2, 1000)
    assert sequences(queue.put([frame(3), frame(4), frame(5)])) == [3]
    assert len(queue) == 4


def test_released_follows_what_left_or_was_dropped() -> None:
    queue = FrameQueue(3, 1000)
    assert queue.released == 0
    queue.put([frame(11, SMALL), frame(12), frame(13)])
    assert queue.released == 10
    queue.take(1, 1000)
    queue.settle()
    assert queue.released == 11
    queue.put([frame(14), frame(15)])  # drops 12
    assert queue.released == 12
    queue.take(3, 1000)
    assert queue.released == 12
    queue.settle()
    assert queue.released == 15


def test_a_waiting_heartbeat_does_not_take_back_what_left_before_it() -> None:
    queue = FrameQueue(3, 1000)
    queue.put([frame(7)])
    queue.take(1, 1000)
    queue.settle()
    queue.put([frame(7)])
    assert queue.released == 7


def test_a_thousand_streams_overflow_in_reasonable_time() -> None:
    queue = FrameQueue(1000, 1 << 30)
    streams = [Stream("default", f"job-{n}") for n in range(1000)]
    dropped = queue.put([frame(n, streams[n % 1000]) for n in range(1, 50_001)])
    assert len(dropped) == 49_000
    assert len(queue) == 1000
