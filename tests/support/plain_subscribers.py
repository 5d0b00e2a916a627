"""Subscribers as someone would write them without raytap: pyzmq, redis-py and msgpack alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import msgpack
import redis
import zmq
from zmq.utils.monitor import recv_monitor_message

from tests.support.wait import wait_until

CHANNELS: Final = b"raytap/"
_LOOK_MS: Final = 50  # between two looks whether the test is over

Message = tuple[bytes, bytes]  # topic, payload
PlainFrame = dict[str, Any]


class PlainSubscriber:
    """Keeps every message that comes while it is entered; any thread may read them."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._stopping = threading.Event()
        self._joined = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._joined.wait(10), "not subscribed within 10 s"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join(10)
        assert not self._thread.is_alive(), "its thread does not end"

    def _run(self) -> None:
        raise NotImplementedError

    def messages(self) -> list[Message]:
        """All that came so far, in order."""
        return list(self._messages)

    def topics(self) -> set[bytes]:
        """The topics that something came on."""
        return {topic for topic, _ in self.messages()}

    def payloads(self, job: str, *kinds: str) -> list[bytes]:
        """A job's payloads as they came, of these kinds; of all but heartbeats where none is
        named."""
        found = []
        for topic, payload in self.messages():
            if topic.endswith(f"/{job}/".encode()):
                kind = msgpack.unpackb(payload)["kind"]
                if kind in kinds or (not kinds and kind != "heartbeat"):
                    found.append(payload)
        return found

    def frames(self, job: str, *kinds: str) -> list[PlainFrame]:
        """The same, unpacked."""
        return [msgpack.unpackb(payload) for payload in self.payloads(job, *kinds)]

    def lines(self, job: str) -> list[str]:
        """A job's text; checks that no line is missing and none came twice."""
        return lines_of(self.frames(job, "log"))

    def until(self, job: str, *kinds: str, timeout: float = 20.0) -> PlainFrame:
        """Wait for a frame of one of the kinds; the newest such."""
        wait_until(lambda: self.payloads(job, *kinds), timeout, f"{kinds} of {job}", 0.02)
        return self.frames(job, *kinds)[-1]

    def until_line(self, job: str, number: int, timeout: float = 20.0) -> None:
        """Wait until the lines before `number` have come."""
        seen = 0

        def reached() -> bool:
            nonlocal seen
            messages = self._messages[seen:]
            seen += len(messages)
            return any(
                topic.endswith(f"/{job}/".encode()) and msgpack.unpackb(payload)["next"] >= number
                for topic, payload in messages
            )

        wait_until(reached, timeout, f"line {number} of {job}", 0.02)


class ZeromqSubscriber(PlainSubscriber):
    """A SUB socket without a high-water mark, subscribed to prefixes of topics."""

    def __init__(self, endpoint: str, *prefixes: bytes) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._prefixes = prefixes or (b"",)

    def _run(self) -> None:
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.linger = 0
            socket.rcvhwm = 0
            for prefix in self._prefixes:
                socket.subscribe(prefix)
            monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
            socket.connect(self._endpoint)
            # The subscription goes out right behind the handshake, long before the daemon's next
            # look for jobs.
            while not self._joined.is_set() and not self._stopping.is_set():
                if monitor.poll(_LOOK_MS):
                    recv_monitor_message(monitor)
                    self._joined.set()
            socket.disable_monitor()
            monitor.close(0)
            while not self._stopping.is_set():
                if socket.poll(_LOOK_MS):
                    topic, payload = socket.recv_multipart()
                    self._messages.append((topic, payload))


class RedisSubscriber(PlainSubscriber):
    """Subscribed to the channels of exact topics, and to the patterns of prefixes."""

    def __init__(self, url: str, topics: Sequence[bytes] = (), patterns: Sequence[bytes] = ()):
        super().__init__()
        self._url = url
        self._topics = [CHANNELS + topic for topic in topics]
        self._patterns = [CHANNELS + p for p in patterns or (() if topics else (b"*",))]

    def _run(self) -> None:
        with redis.Redis.from_url(self._url, protocol=2) as client:
            pubsub: Any = client.pubsub()  # it has no types
            with pubsub:
                self._subscribe(pubsub)
                while not self._stopping.is_set():
                    try:
                        self._take(pubsub.get_message(timeout=_LOOK_MS / 1000))
                    except redis.ConnectionError:  # killed by the test: again when it is back
                        self._stopping.wait(_LOOK_MS / 1000)

    def _subscribe(self, pubsub: Any) -> None:
        if self._topics:
            pubsub.subscribe(*self._topics)
        if self._patterns:
            pubsub.psubscribe(*self._patterns)

    def _take(self, got: Any) -> None:
        if got is None:
            return
        if got["type"] in ("message", "pmessage"):
            self._messages.append((got["channel"].removeprefix(CHANNELS), got["data"]))
        elif got["data"] == len(self._topics) + len(self._patterns):
            self._joined.set()


def lines_of(frames: Sequence[PlainFrame]) -> list[str]:
    """The text of `log` frames; checks that their numbers have no hole and no repeat. A line that
    was published without its end may be published again, where the frame says so."""
    lines: list[str] = []
    for frame in frames:
        if frame.get("amends"):
            lines = lines[: frame["first"]]
        first, following, new = frame["first"], frame["next"], frame.get("lines", [])
        assert first == len(lines), f"a frame of lines [{first}, {following}) after {len(lines)}"
        assert following - first == len(new), f"{len(new)} lines in [{first}, {following})"
        lines += new
    return lines


def count_line_ends(log: bytes) -> int:
    """How many lines a log has, by its bytes: ends are \\n, \\r\\n and a lone \\r, and a last line
    may have none."""
    ends = log.count(b"\n") + log.count(b"\r") - log.count(b"\r\n")
    return ends + (log[-1:] not in (b"", b"\n", b"\r"))
