"""The bus: journal first, then every outbox, in order, whatever one of them does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from broker.backoff import Backoff
from broker.bus.bus import QUEUE_BYTES, WATERMARK_LAG, Bus
from broker.bus.journal_writer import JournalWriter
from broker.bus.outbox import Outbox
from broker.bus.pulse import Pulse
from broker.errors import ClientError, JournalError, Stopping
from broker.frame import Frame, decode, encode
from broker.journal import Record
from broker.journal.memory import MemoryJournal
from broker.metrics import Metrics
from broker.topic import Stream
from publishers.memory import MemoryPublisher
from tests.support.journal_records import OTHER, STREAM, log_frame, log_records, record
from tests.support.outgoing import outgoing
from tests.support.wait import wait_until


class Journal(MemoryJournal):
    """In memory; `gate` holds commits up, `error` fails them, `commits` are their sizes."""

    def __init__(self) -> None:
        super().__init__(1 << 40, 1 << 40, 1e9)
        self.gate = threading.Event()
        self.gate.set()
        self.error: JournalError | None = None
        self.commits: list[int] = []
        self.watermark = 0

    def append(self, records: Sequence[Record]) -> None:
        self.gate.wait()
        if self.error:
            raise self.error
        super().append(records)
        self.commits.append(len(records))

    def published(self, sequence: int) -> None:
        self.watermark = max(self.watermark, sequence)
        super().published(sequence)


class Line:
    """A bus between a journal and publishers in memory. Its clock stands still until told."""

    def __init__(self, publishers: int = 1, journal: bool = True, queue_size: int = 1_000) -> None:
        self.now = 100.0
        self.metrics = Metrics("test")
        self.journal = Journal()
        self.publishers = [MemoryPublisher() for _ in range(publishers)]
        self.pulse = Pulse("b1", 15.0, lambda _: None)
        self.writer = JournalWriter(self.journal, self.metrics) if journal else None
        self.outboxes = [
            Outbox(publisher, queue_size, Backoff(0.01, 0.01), self.pulse.join)
            for publisher in self.publishers
        ]
        self.bus = Bus(
            self.writer,
            self.outboxes,
            self.pulse,
            self.metrics,
            queue_size,
            lambda: self.now,
            lambda: int(self.now * 1e9),
        )

    def start(self) -> None:
        for outbox in self.outboxes:
            outbox.start()
        self.bus.start()

    def close(self) -> None:
        self.journal.gate.set()
        for publisher in self.publishers:
            publisher.unblock()
        self.bus.stop(5)
        for outbox in self.outboxes:
            outbox.stop(5)
        if self.writer:
            self.writer.close(5)
        assert not self.bus._thread.is_alive()

    def until_watermark(self, sequence: int) -> None:
        """Let time go on, and commit so that the watermark goes with it, until it is there."""

        def moved() -> bool:
            self.now += 0.5
            self.bus.put([beat()])
            return self.journal.watermark >= sequence

        wait_until(moved, 5, f"the watermark {sequence}", 0.03)


Make = Callable[..., Line]


@pytest.fixture
def make() -> Iterator[Make]:
    with ExitStack() as stack:

        def made(publishers: int = 1, *, start: bool = True, **options: Any) -> Line:
            line = Line(publishers, **options)
            stack.callback(line.close)
            if start:
                line.start()
            return line

        yield made


def beat() -> Record:
    """What is committed and not kept."""
    return Record(STREAM, "heartbeat", "", 0, 0, 1, encode(Frame("heartbeat", *STREAM, 0, 0)))


def big(line: int, size: int, stream: Stream = STREAM) -> Record:
    return record(Frame("log", *stream, line, line + 1, ts=1, epoch="e", lines=["x" * size]))


def test_frames_are_committed_before_any_publisher_has_them(make: Make) -> None:
    it = make(2)
    it.journal.gate.clear()
    it.bus.put(log_records(3))
    wait_until(lambda: it.bus.queued_bytes == 0, 5, "the group is taken")
    assert [publisher.frames for publisher in it.publishers] == [[], []]
    it.journal.gate.set()
    for publisher in it.publishers:
        assert [frame.first for frame in publisher.received(3)] == [0, 10, 20]
    assert it.journal.usage().frames == 3


def test_every_publisher_has_the_very_bytes_that_the_journal_has(make: Make) -> None:
    it = make(2)
    it.bus.put(log_records(5))
    for publisher in it.publishers:
        publisher.received(5)
    stored = [kept.payload for kept in it.journal.page(STREAM, "aaaaaaaaaaaa", 0)]
    for publisher in it.publishers:
        assert [message.payload for message in publisher.messages] == stored
        assert {message.topic for message in publisher.messages} == {STREAM.topic}


def test_the_order_of_each_thread_s_puts_is_kept(make: Make) -> None:
    it = make()

    def printing(stream: Stream) -> None:
        for first in range(0, 2_000, 10):
            it.bus.put([record(log_frame(first, first + 10, stream))])

    threads = [threading.Thread(target=printing, args=(stream,)) for stream in (STREAM, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frames = it.publishers[0].received(400)
    for stream in (STREAM, OTHER):
        firsts = [frame.first for frame in frames if frame.job == stream.job]
        assert firsts == list(range(0, 2_000, 10))


def test_what_comes_during_a_commit_goes_into_one_group(make: Make) -> None:
    it = make()
    it.journal.gate.clear()
    it.bus.put(log_records(1))
    wait_until(lambda: it.bus.queued_bytes == 0, 5, "the first group is taken")
    for first in range(10, 1_000, 10):
        it.bus.put([record(log_frame(first, first + 10))])
    it.journal.gate.set()
    it.publishers[0].received(100)
    assert it.journal.commits == [1, 99]


def test_a_full_queue_makes_readers_wait_and_loses_nothing(make: Make) -> None:
    it = make(journal=False, start=False)
    size = 1 << 20
    over = QUEUE_BYTES // size + 3
    passed: list[int] = []

    def reading() -> None:
        for line in range(over):
            it.bus.put([big(line, size)])
            passed.append(line)

    reader = threading.Thread(target=reading)
    reader.start()
    wait_until(lambda: it.bus.queued_bytes >= QUEUE_BYTES, 5, "the queue is full")
    assert len(passed) < over
    it.start()
    reader.join(10)
    assert not reader.is_alive()
    frames = it.publishers[0].received(over)
    assert [frame.first for frame in frames] == list(range(over))


def test_stop_lets_go_of_readers_that_wait_and_hands_out_what_was_taken(make: Make) -> None:
    it = make(journal=False, start=False)
    count = QUEUE_BYTES // (1 << 20)
    for line in range(count):
        it.bus.put([big(line, 1 << 20)])
    stopped = threading.Event()

    def reading() -> None:
        with pytest.raises(Stopping):
            it.bus.put([big(count, 10)])
        stopped.set()

    reader = threading.Thread(target=reading)
    reader.start()
    for outbox in it.outboxes:
        outbox.start()
    it.bus.stop(0)
    assert stopped.wait(5)
    reader.join()
    it.bus.start()
    assert len(it.publishers[0].received(count)) == count
    with pytest.raises(Stopping):
        it.bus.put(log_records(1))


def test_a_journal_that_fails_keeps_no_frame_from_its_subscribers(make: Make) -> None:
    it = make()
    it.journal.error = JournalError("the disk is full")
    it.bus.put(log_records(3))
    assert len(it.publishers[0].received(3)) == 3
    assert it.writer is not None
    assert it.writer.problem == "the disk is full"


def test_a_publisher_that_hangs_holds_up_neither_the_bus_nor_the_others_for_long(
    make: Make,
) -> None:
    it = make(2, queue_size=100)
    it.publishers[0].block()
    for first in range(0, 5_000, 10):
        it.bus.put([record(log_frame(first, first + 10))])
    assert len(it.publishers[1].received(500)) == 500
    wait_until(lambda: it.outboxes[0].dropped > 0, 5, "its own outbox drops")
    assert it.outboxes[1].dropped == 0


def test_a_bug_in_one_round_costs_no_other(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    it = make()
    failed = threading.Event()

    def broken(*_: object) -> None:
        failed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(it.pulse, "published", broken)
    it.bus.put(log_records(1))
    assert failed.wait(5)
    monkeypatch.undo()
    it.bus.put([record(log_frame(10, 20))])
    assert [frame.first for frame in it.publishers[0].received(1)][-1] == 10


def test_a_join_is_answered_at_once_from_where_the_stream_stands(make: Make) -> None:
    it = make()
    it.bus.put(log_records(2))
    it.publishers[0].received(2)
    it.pulse.join([STREAM.topic])
    it.bus.wake()
    assert it.publishers[0].received(3)[-1].kind == "heartbeat"
    assert it.publishers[0].frames[-1].next == 20


def test_heartbeats_are_not_journaled_and_count_as_frames_of_no_line(make: Make) -> None:
    it = make()
    it.pulse.follow(STREAM, "e", 7, it.now)
    it.now += 15.0
    found = it.publishers[0].received(1)[0]
    assert (found.kind, found.next) == ("heartbeat", 7)
    assert it.journal.usage().frames == 0


# What a restart publishes again -------------------------------------------------------------------


def test_the_watermark_lags_behind_what_left(make: Make) -> None:
    it = make()
    it.bus.put(log_records(5))
    it.publishers[0].received(5)
    wait_until(lambda: it.outboxes[0].published == 5, 5, "all has left")
    it.now += 0.5
    it.bus.put([beat()])
    it.publishers[0].received(6)
    it.now += WATERMARK_LAG - 0.3
    it.bus.put([beat()])
    it.publishers[0].received(7)
    assert it.journal.watermark == 0
    it.until_watermark(5)
    assert list(it.journal.unpublished()) == []


def test_the_watermark_waits_for_the_slowest_publisher(make: Make) -> None:
    it = make(2)
    it.publishers[1].fail(ClientError(503, "it is gone"))
    wait_until(lambda: it.outboxes[0].connected, 5, "the first is open")
    it.publishers[1].block()
    it.bus.put(log_records(5))
    it.publishers[0].received(5)
    for _ in range(20):
        it.now += 1.0
        it.bus.put([beat()])
    it.publishers[0].received(25)
    assert it.journal.watermark == 0
    it.publishers[1].recover()
    it.publishers[1].unblock()
    it.publishers[1].received(5)
    wait_until(lambda: it.outboxes[1].published >= 5, 5, "all has left")
    it.until_watermark(5)


def test_after_an_orderly_stop_nothing_is_published_again(make: Make) -> None:
    it = make()
    it.bus.put(log_records(5))
    it.bus.stop(5)
    for outbox in it.outboxes:
        assert outbox.flush(5)
    it.bus.finish()
    assert it.writer is not None
    it.writer.close(5)
    assert it.journal.watermark == 5


def test_unjournaled_frames_move_no_watermark_over_journaled_ones(make: Make) -> None:
    it = make()
    it.bus.put(log_records(2))
    it.publishers[0].received(2)
    it.journal.error = JournalError("the disk is full")
    it.bus.put([record(log_frame(20, 30))])
    it.publishers[0].received(3)
    wait_until(lambda: it.outboxes[0].depth == 0, 5, "all has left")
    assert it.outboxes[0].published == 2


def test_what_is_published_again_reaches_every_publisher_in_order_and_whole(make: Make) -> None:
    it = make(2, start=False)
    for outbox in it.outboxes:
        outbox.start()
    assert it.bus.republish(iter(outgoing(0, 3_333))) == 3_333
    for publisher in it.publishers:
        frames = publisher.received(3_333)
        assert [frame.first for frame in frames] == list(range(3_333))
    assert [outbox.dropped for outbox in it.outboxes] == [0, 0]


def test_a_transport_that_is_stuck_holds_a_restart_up_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.bus.bus.STUCK_SECONDS", 60.0)
    it = make(2, start=False)
    it.publishers[0].block()
    for outbox in it.outboxes:
        outbox.start()
    waits: list[float] = []
    flush = it.outboxes[0].flush

    def counted(timeout: float) -> bool:
        waits.append(timeout)
        return flush(0.05)  # only here: the other one is waited for as long as it takes

    monkeypatch.setattr(it.outboxes[0], "flush", counted)
    it.bus.republish(iter(outgoing(0, 3_000)))
    assert len(waits) == 1
    assert len(it.publishers[1].received(3_000)) == 3_000


def test_frames_are_counted_by_kind(make: Make) -> None:
    it = make()
    it.bus.put([*log_records(3), beat()])
    it.publishers[0].received(4)
    labels = {"cluster": "ray", "kind": "log"}
    assert it.metrics.registry.get_sample_value("raytap_frames_total", labels) == 3.0
    assert all(decode(message.payload).cluster == "ray" for message in it.publishers[0].messages)
