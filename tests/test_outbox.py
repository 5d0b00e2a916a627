"""The outbox: bounded, patient with its transport, and of no consequence to others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from broker.backoff import Backoff
from broker.bus.outbox import Outbox
from broker.errors import ClientError
from broker.publisher import Publisher
from broker.topic import Stream
from publishers.memory import MemoryPublisher
from publishers.redis_pubsub import RedisPublisher
from tests.support.outgoing import JOB, outgoing
from tests.support.wait import wait_until

DOWN = ClientError(503, "the transport is gone")
Make = Callable[..., Outbox]


@pytest.fixture
def memory() -> Iterator[MemoryPublisher]:
    publisher = MemoryPublisher()
    yield publisher
    publisher.recover()
    publisher.unblock()


@pytest.fixture
def make(memory: MemoryPublisher) -> Iterator[Make]:
    """Makes outboxes, in front of `memory` unless told otherwise, with next to no backoff."""
    made: list[Outbox] = []

    def make(
        queue_size: int = 100,
        publisher: Publisher | None = None,
        on_join: Callable[[list[bytes]], None] = lambda prefixes: None,
        backoff: float = 0.01,
    ) -> Outbox:
        delays = Backoff(backoff, backoff, random=lambda: 1.0)
        made.append(Outbox(publisher or memory, queue_size, delays, on_join))
        return made[-1]

    yield make
    memory.recover()
    memory.unblock()
    for outbox in made:
        outbox.stop(5.0)


def lines(memory: MemoryPublisher, count: int, prefix: bytes = b"") -> list[int]:
    return [frame.first for frame in memory.received(count, prefix)]


def hang(memory: MemoryPublisher, outbox: Outbox) -> None:
    """Let the transport hang over the frame of line 0."""
    memory.block()
    outbox.put(outgoing(0, 1))
    assert memory.blocked.wait(5.0)


def test_frames_leave_in_order_with_equal_bytes(make: Make, memory: MemoryPublisher) -> None:
    outbox = make()
    outbox.start()
    sent = outgoing(0, 50)
    for item in sent:
        outbox.put([item])
    assert outbox.flush(5.0)
    assert memory.messages == [item.message for item in sent]


def test_it_counts_what_it_published(make: Make) -> None:
    outbox = make()
    outbox.start()
    sent = outgoing(0, 20)
    outbox.put(sent)
    assert outbox.flush(5.0)
    assert outbox.published_frames == 20
    assert outbox.published_bytes == sum(len(item.message.payload) for item in sent)
    assert (outbox.published, outbox.depth, outbox.depth_bytes) == (20, 0, 0)


def test_put_never_waits_for_a_transport_that_hangs(make: Make, memory: MemoryPublisher) -> None:
    outbox = make(queue_size=10)
    outbox.start()
    hang(memory, outbox)
    start = time.monotonic()
    for line in range(1, 1000):
        outbox.put(outgoing(line, line + 1))
    assert time.monotonic() - start < 10.0
    assert outbox.depth == 10


def test_an_overflow_drops_the_oldest_of_the_biggest_stream_and_counts_it(
    make: Make, memory: MemoryPublisher
) -> None:
    quiet = Stream("default", "quiet")
    outbox = make(queue_size=10)
    outbox.start()
    hang(memory, outbox)
    outbox.put(outgoing(0, 2, quiet))
    outbox.put(outgoing(1, 30))
    assert (outbox.dropped, outbox.dropped_of(JOB), outbox.dropped_of(quiet)) == (22, 22, 0)
    memory.unblock()
    assert lines(memory, 8, JOB.topic) == [0, *range(23, 30)]
    assert lines(memory, 2, quiet.topic) == [0, 1]


def test_a_stream_that_is_forgotten_leaves_the_total_of_drops(make: Make) -> None:
    outbox = make(queue_size=10)
    outbox.put(outgoing(0, 15))
    outbox.forget(JOB)
    assert (outbox.dropped_of(JOB), outbox.dropped) == (0, 5)


def test_the_queue_is_bounded_in_bytes_too(make: Make) -> None:
    outbox = make(queue_size=10)
    outbox.put(outgoing(0, 9, size=200_000))
    assert outbox.depth_bytes <= 10 * 64 * 1024
    assert outbox.dropped == 6


def test_published_waits_for_the_frame_that_is_being_sent(
    make: Make, memory: MemoryPublisher
) -> None:
    outbox = make()
    outbox.start()
    hang(memory, outbox)
    outbox.put(outgoing(1, 5))
    assert outbox.published == 0
    memory.unblock()
    assert outbox.flush(5.0)
    assert outbox.published == 5


def test_flush_says_when_it_did_not_get_through(make: Make, memory: MemoryPublisher) -> None:
    outbox = make()
    outbox.start()
    hang(memory, outbox)
    assert not outbox.flush(0.01)


def test_a_transport_that_comes_back_gets_what_waited(make: Make, memory: MemoryPublisher) -> None:
    memory.fail(DOWN)
    outbox = make()
    outbox.start()
    outbox.put(outgoing(0, 20))
    wait_until(lambda: outbox.errors > 2)
    assert not outbox.connected
    assert outbox.last_error is DOWN
    memory.recover()
    assert lines(memory, 20) == list(range(20))
    assert outbox.connected
    assert outbox.dropped == 0


def test_a_transport_that_fails_in_the_middle_loses_nothing(
    make: Make, memory: MemoryPublisher
) -> None:
    outbox = make()
    outbox.start()
    outbox.put(outgoing(0, 5))
    assert outbox.flush(5.0)
    memory.fail(DOWN)
    outbox.put(outgoing(5, 10))
    wait_until(lambda: outbox.errors > 1)
    memory.recover()
    assert lines(memory, 10) == list(range(10))
    assert (memory.opened, memory.closed) == (2, 1)


def test_an_unexpected_error_of_a_transport_ends_nothing(
    make: Make, memory: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unexpected(messages: object) -> None:
        raise KeyError("password=hunter2")

    with monkeypatch.context() as patch:
        patch.setattr(memory, "publish", unexpected)
        outbox = make()
        outbox.start()
        outbox.put(outgoing(0, 5))
        wait_until(lambda: outbox.errors > 0)
    assert lines(memory, 5) == list(range(5))
    assert outbox.last_error is not None
    assert outbox.last_error.status == 500
    assert "hunter2" not in str(outbox.last_error)


def test_one_transport_that_hangs_does_not_keep_another_waiting(
    make: Make, memory: MemoryPublisher
) -> None:
    healthy = MemoryPublisher()
    stuck, free = make(), make(publisher=healthy)
    stuck.start()
    free.start()
    hang(memory, stuck)
    for outbox in (stuck, free):
        outbox.put(outgoing(0, 50))
    assert lines(healthy, 50) == list(range(50))


def test_a_setting_that_is_wrong_is_raised_at_start(make: Make, memory: MemoryPublisher) -> None:
    memory.fail(ClientError(400, "in use"))
    with pytest.raises(ClientError, match="400: in use"):
        make().start()


def test_a_transport_out_of_reach_at_start_is_tried_again(
    make: Make, memory: MemoryPublisher
) -> None:
    memory.fail(DOWN)
    outbox = make()
    outbox.start()
    memory.recover()
    wait_until(lambda: outbox.connected)


def test_a_join_is_handed_on_at_once_while_nothing_is_sent(
    make: Make, memory: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.bus.outbox.IDLE_SECONDS", 60.0)
    joined, prefixes = threading.Event(), []

    def on_join(found: list[bytes]) -> None:
        prefixes.extend(found)
        joined.set()

    outbox = make(on_join=on_join)
    outbox.start()
    memory.join(b"default/job-1/")
    assert joined.wait(10.0)
    assert prefixes == [b"default/job-1/"]


def test_joins_are_seen_while_frames_flow(make: Make, memory: MemoryPublisher) -> None:
    joined = threading.Event()
    outbox = make(queue_size=1000, on_join=lambda prefixes: joined.set())
    outbox.start()
    hang(memory, outbox)
    outbox.put(outgoing(1, 900))
    memory.join(b"")
    memory.unblock()
    assert joined.wait(5.0)


def test_stop_publishes_what_is_queued_and_closes(make: Make, memory: MemoryPublisher) -> None:
    outbox = make()
    outbox.start()
    outbox.put(outgoing(0, 80))
    assert outbox.stop(5.0) == 0
    assert len(memory.frames) == 80
    assert (memory.opened, memory.closed) == (1, 1)
    assert not outbox.connected


def test_stop_twice_or_without_start_is_harmless(make: Make) -> None:
    outbox = make()
    outbox.start()
    assert outbox.stop(1.0) == outbox.stop(1.0) == 0
    assert make().stop(1.0) == 0


def test_a_put_after_stop_is_harmless(make: Make, memory: MemoryPublisher) -> None:
    outbox = make()
    outbox.start()
    outbox.stop(1.0)
    outbox.put(outgoing(0, 1))
    assert memory.frames == []


def test_stop_interrupts_a_backoff_at_once(make: Make, memory: MemoryPublisher) -> None:
    memory.fail(DOWN)
    outbox = make(backoff=60.0)
    outbox.start()
    outbox.put(outgoing(0, 3))
    wait_until(lambda: outbox.errors > 0)
    start = time.monotonic()
    assert outbox.stop(30.0) == 3
    assert time.monotonic() - start < 10.0
    assert outbox.published == 0


def test_stop_does_not_wait_for_a_transport_that_hangs(make: Make, memory: MemoryPublisher) -> None:
    outbox = make()
    outbox.start()
    hang(memory, outbox)
    start = time.monotonic()
    assert outbox.stop(0.2) == 1
    assert time.monotonic() - start < 10.0


def test_stop_does_not_wait_for_a_server_that_never_answers(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"redis://127.0.0.1:{server.getsockname()[1]}"
        outbox = make(publisher=RedisPublisher(url, socket_timeout=5.0))
        outbox.start(0.05)
        start = time.monotonic()
        outbox.stop(0.2)
        assert time.monotonic() - start < 4.0
        wait_until(lambda: all(t.name != "raytap-redis" for t in threading.enumerate()))


def test_nobody_is_held_back_while_there_is_room(make: Make, memory: MemoryPublisher) -> None:
    outbox = make(queue_size=100)
    outbox.start()
    hang(memory, outbox)
    outbox.put(outgoing(1, 50))
    assert outbox.wait_for_room(5.0) < 0.1


def test_a_queue_over_half_full_holds_back_until_there_is_room(
    make: Make, memory: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.bus.outbox.PROGRESS_SECONDS", 60.0)
    outbox = make(queue_size=100)
    outbox.start()
    hang(memory, outbox)
    outbox.put(outgoing(1, 90))
    held: list[float] = []
    caller = threading.Thread(target=lambda: held.append(outbox.wait_for_room(60.0)))
    caller.start()
    wait_until(lambda: outbox._changed._waiters)  # type: ignore[attr-defined]
    memory.unblock()
    caller.join(10.0)
    assert 0.0 < held[0] < 4.0  # it would let go of the caller after five seconds
    assert outbox.depth <= 50


def test_a_transport_that_is_stuck_holds_nobody_back_for_more_than_a_second(
    make: Make, memory: MemoryPublisher
) -> None:
    outbox = make(queue_size=100)
    outbox.start()
    hang(memory, outbox)
    outbox.put(outgoing(1, 90))
    assert outbox.wait_for_room(10.0) < 4.0
    assert outbox.wait_for_room(10.0) < 0.1


def test_a_transport_that_is_down_holds_nobody_back(make: Make, memory: MemoryPublisher) -> None:
    memory.fail(DOWN)
    outbox = make(queue_size=100)
    outbox.start()
    outbox.put(outgoing(0, 90))
    assert outbox.wait_for_room(10.0) < 0.1
