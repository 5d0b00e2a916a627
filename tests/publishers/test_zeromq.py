"""What only ZeroMQ does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest
import zmq

from broker.backoff import Backoff
from broker.bus.outbox import Outbox
from broker.errors import ClientError
from broker.publisher import Message
from publishers.zeromq import ZeromqPublisher
from tests.support.outgoing import JOB, log_message, outgoing
from tests.support.wait import wait_until


@pytest.fixture
def publisher() -> Iterator[ZeromqPublisher]:
    publisher = ZeromqPublisher("tcp://127.0.0.1:*", hwm=20)
    publisher.open()
    yield publisher
    publisher.close()


@pytest.fixture
def connect(publisher: ZeromqPublisher) -> Iterator[Callable[[int], zmq.Socket[bytes]]]:
    """Makes peers of a socket type, connected to the publisher."""
    with zmq.Context() as context:
        sockets = []

        def connect(kind: int) -> zmq.Socket[bytes]:
            peer = context.socket(kind)
            sockets.append(peer)
            peer.linger = 0
            peer.rcvhwm = 4
            peer.connect(publisher.endpoint)
            return peer

        yield connect
        for peer in sockets:
            peer.close()


def joins(publisher: ZeromqPublisher) -> list[bytes]:
    """The next joins, once there are some."""
    return wait_until(publisher.joined)


@pytest.mark.parametrize("bind", ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0"])
def test_a_port_that_the_system_chooses_is_in_the_endpoint(bind: str) -> None:
    publisher = ZeromqPublisher(bind, hwm=1)
    publisher.open()
    host, _, port = publisher.endpoint.rpartition(":")
    publisher.close()
    assert host == "tcp://127.0.0.1"
    assert int(port) > 0


def test_an_address_in_use_is_named_with_what_to_do(publisher: ZeromqPublisher) -> None:
    with pytest.raises(ClientError) as raised:
        ZeromqPublisher(publisher.endpoint, hwm=1).open()
    assert raised.value.status == 400
    assert publisher.endpoint in raised.value.message
    assert "end the program that listens there, or bind another port" in raised.value.message


@pytest.mark.parametrize(
    "bind", ["", "5556", "udp://127.0.0.1:5556", "tcp://127.0.0.1", "tcp://203.0.113.9:5556"]
)
def test_an_address_that_can_not_be_bound_is_a_400_that_names_it(bind: str) -> None:
    with pytest.raises(ClientError) as raised:
        ZeromqPublisher(bind, hwm=1).open()
    assert raised.value.status == 400
    assert bind in raised.value.message


def test_the_address_is_free_again_after_close(publisher: ZeromqPublisher) -> None:
    publisher.close()
    again = ZeromqPublisher(publisher.endpoint, hwm=1)
    again.open()
    again.close()


def test_a_second_subscriber_to_the_same_topic_is_a_join_too(
    publisher: ZeromqPublisher, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    for _ in range(2):
        connect(zmq.SUB).subscribe(JOB.topic)
        assert joins(publisher) == [JOB.topic]


def test_leaving_is_no_join(
    publisher: ZeromqPublisher, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    subscriber = connect(zmq.SUB)
    subscriber.subscribe(b"a/")
    assert joins(publisher) == [b"a/"]
    subscriber.unsubscribe(b"a/")
    subscriber.subscribe(b"b/")
    assert joins(publisher) == [b"b/"]


def test_what_else_a_peer_sends_is_ignored(
    publisher: ZeromqPublisher, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    hostile = connect(zmq.XSUB)
    for message in ([b""], [b"\x02what"], [b"hello", b"\x01job"], [b"\xff" * 500], [b"\x00never"]):
        hostile.send_multipart(message)
    hostile.send(b"\x01last/")
    assert joins(publisher) == [b"last/"]
    publisher.publish([log_message(JOB, 0)])


def test_a_peer_that_sends_too_much_is_cut_off_and_others_are_not(
    publisher: ZeromqPublisher, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    subscriber = connect(zmq.SUB)
    subscriber.subscribe(JOB.topic)
    assert joins(publisher) == [JOB.topic]
    hostile = connect(zmq.XSUB)
    hostile.reconnect_ivl = -1
    monitor = hostile.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    hostile.send(b"\x02" * 2_000)
    assert monitor.poll(10_000)
    hostile.disable_monitor()
    monitor.close()
    publisher.publish([log_message(JOB, 0)])
    assert subscriber.poll(10_000)


def test_a_subscriber_that_does_not_read_delays_nobody_and_is_counted(
    publisher: ZeromqPublisher, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    slow, quick = connect(zmq.SUB), connect(zmq.SUB)
    for subscriber in (slow, quick):
        subscriber.subscribe(JOB.topic)
        assert joins(publisher) == [JOB.topic]
    sent = [log_message(JOB, line, size=1 << 20) for line in range(80)]
    for message in sent:
        publisher.publish([message])
        assert quick.poll(10_000)
        assert quick.recv_multipart() == list(message)
    assert publisher.overflows > 0
    left = iter(sent)
    received = 0
    while slow.poll(500):
        message = Message(*slow.recv_multipart())
        assert message in left, "in order, none twice; there may be holes: the system made room"
        received += 1
    assert 0 < received < 80


def test_its_outbox_sees_a_join_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.bus.outbox.IDLE_SECONDS", 60.0)
    publisher, joined = ZeromqPublisher("tcp://127.0.0.1:*", hwm=0), threading.Event()
    outbox = Outbox(publisher, 100, Backoff(), lambda prefixes: joined.set())
    outbox.start()
    try:
        with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
            subscriber.connect(publisher.endpoint)
            outbox.put(outgoing(0, 10))  # to nobody
            assert outbox.flush(5.0)
            subscriber.subscribe(b"")
            assert joined.wait(10.0)  # not at the next look after an idle while
    finally:
        outbox.stop(5.0)


def test_close_gives_a_subscriber_what_was_published() -> None:
    publisher = ZeromqPublisher("tcp://127.0.0.1:*", hwm=0)
    publisher.open()
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.rcvhwm = 0
        subscriber.subscribe(b"")
        subscriber.connect(publisher.endpoint)
        joins(publisher)
        sent = [log_message(JOB, line, size=50_000) for line in range(100)]
        publisher.publish(sent)
        publisher.close()
        for message in sent:
            assert subscriber.poll(10_000)
            assert subscriber.recv_multipart() == list(message)


def test_a_wait_ends_when_somebody_joins(
    publisher: ZeromqPublisher, connect: Callable[[int], zmq.Socket[bytes]]
) -> None:
    wake = os.eventfd(0)
    try:
        connect(zmq.SUB).subscribe(b"")
        publisher.wait(wake, timeout=60.0)
        assert joins(publisher) == [b""]
    finally:
        os.close(wake)
