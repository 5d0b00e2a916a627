"""Row 5: ZeroMQ fan-out to 1, 4 and 32 subscribers: outbox and publisher beside raw pyzmq.

    python -m benchmarks.zeromq_fanout [--rounds 5] [--json]

The same frames of 64 KiB on both sides, without high-water marks. One process holds all
subscribers and compares every byte they get; the time is until the last of them has everything.
CPU and memory are the publishing process's.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

import zmq

from benchmarks.measure import Row, Run, Stopwatch, alternate, arguments, report
from benchmarks.sample_frames import STREAM, sample_frames
from broker.backoff import Backoff
from broker.bus.outbox import Outbox, Outgoing
from publishers.zeromq import ZeromqPublisher

FRAMES: Final = {1: 3000, 4: 1500, 32: 250}  # by subscribers
GROUP: Final = 16  # frames put at once, as after a group commit


def raytap(subscribers: int, count: int) -> Run:
    """An outbox of the default size in front of the publisher."""
    frames = sample_frames(count)
    publisher = ZeromqPublisher("tcp://127.0.0.1:*", 0)
    joined: set[bytes] = set()
    all_joined = threading.Event()

    def on_join(prefixes: list[bytes]) -> None:
        joined.update(prefix for prefix in prefixes if prefix.startswith(b"ready-"))
        if len(joined) == subscribers:
            all_joined.set()

    outbox = Outbox(publisher, 1000, Backoff(), on_join)
    outbox.start()

    def send() -> None:
        for start in range(0, len(frames), GROUP):
            outbox.wait_for_room()
            outbox.put(frames[start : start + GROUP])

    try:
        run = _measured(publisher.endpoint, subscribers, count, all_joined.wait, send)
    finally:
        outbox.stop(5.0)
    if outbox.dropped:
        raise AssertionError(f"{outbox.dropped} frames dropped")
    return run


def raw(subscribers: int, count: int) -> Run:
    """A socket and a loop."""
    frames = sample_frames(count)
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.setsockopt(zmq.SNDHWM, 0)
        port = socket.bind_to_random_port("tcp://127.0.0.1")

        def wait_for_all() -> None:
            ready = 0
            while ready < subscribers:
                ready += socket.recv().startswith(b"\x01ready-")

        def send() -> None:
            for _, _, (topic, payload) in frames:
                socket.send_multipart([topic, payload])

        endpoint = f"tcp://127.0.0.1:{port}"
        return _measured(endpoint, subscribers, count, wait_for_all, send)


def _measured(
    endpoint: str,
    subscribers: int,
    count: int,
    wait_for_all: Callable[[], object],
    send: Callable[[], None],
) -> Run:
    spawn = multiprocessing.get_context("spawn")
    result, theirs = spawn.Pipe()
    process = spawn.Process(target=subscribe, args=(endpoint, subscribers, count, theirs))
    process.start()
    wait_for_all()
    with Stopwatch() as stopwatch:
        send()
        verdict = result.recv()
    process.join()
    if verdict != "complete":
        raise AssertionError(verdict)
    return stopwatch.run


def subscribe(endpoint: str, subscribers: int, count: int, result: Connection[Any, Any]) -> None:
    """Receive everything on every socket, and say whether it was right."""
    expected = [list(frame.message) for frame in sample_frames(count)]
    with zmq.Context() as context:
        poller, positions = zmq.Poller(), {}
        for number in range(subscribers):
            socket = context.socket(zmq.SUB)
            socket.setsockopt(zmq.RCVHWM, 0)
            socket.subscribe(STREAM.topic)
            socket.subscribe(b"ready-%d" % number)
            socket.connect(endpoint)
            poller.register(socket, zmq.POLLIN)
            positions[socket] = 0
        unfinished, verdict = subscribers, "complete"
        while unfinished:
            ready = poller.poll(30_000)
            if not ready:
                verdict = f"nothing for 30 s; positions {list(positions.values())}"
                break
            for socket, _ in ready:
                topic, payload = socket.recv_multipart(copy=False)
                position = positions[socket]
                want_topic, want_payload = expected[position]
                if topic.buffer != want_topic or payload.buffer != want_payload:
                    verdict = f"frame {position} differs"
                positions[socket] = position + 1
                unfinished -= position + 1 == len(expected)
        result.send(verdict)
        for socket in positions:
            socket.close(0)


def size_mb(frames: list[Outgoing]) -> float:
    """Their payload, MB."""
    return sum(len(frame.message.payload) for frame in frames) / 1e6


def main() -> None:
    """Run and report."""
    args = arguments(__doc__)
    rows = []
    for subscribers, most in FRAMES.items():
        count = most // 50 if args.quick else most
        contenders = {
            "raytap": (raytap, subscribers, count),
            "raw pyzmq": (raw, subscribers, count),
        }
        results = alternate(contenders, args.rounds)
        delivered = size_mb(sample_frames(count)) * subscribers
        name = f"ZeroMQ fan-out to {subscribers}"
        rows.append(Row(name, delivered, "MB", results, "raw pyzmq", "5", 0.8))
    report(rows, args.json)


if __name__ == "__main__":
    main()
