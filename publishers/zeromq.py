"""Frames on a ZeroMQ socket: `[topic, payload]`, to whoever subscribed to a prefix of the topic.

Each subscriber has a queue of its own in this socket, of `hwm` frames (about 256 KiB each at
most). One that is full loses frames, without a word to either side: the subscriber sees it as a
jump in `first`. ZeroMQ can't count the frames lost; `overflows` counts how often a queue became
full.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Final

import zmq

from broker.errors import ClientError
from broker.publisher import Message
from broker.text.plain_text import one_line

LINGER_MS: Final = 1_000
JOINS_AT_ONCE: Final = 1_000
# A topic is at most 202 bytes, and nothing else is to be said to us.
MAX_INBOUND_BYTES: Final = 1_024
# From here on sharing the payload with ZeroMQ's own thread is cheaper than copying it.
COPY_BYTES: Final = 8_192

_OPTIONS: Final = {
    zmq.XPUB_VERBOSE: 1,  # a second subscriber to a topic is a join too
    zmq.XPUB_NODROP: 1,  # a full queue is told to us; we send on without its subscriber
    zmq.LINGER: LINGER_MS,
    zmq.MAXMSGSIZE: MAX_INBOUND_BYTES,
    # A subscriber whose machine went away is let go of after a minute when idle, and after two
    # while frames are under way. ZeroMQ's own heartbeats would cut one that is merely slow: a
    # full subscriber stops reading, and so never answers them.
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 30,
    zmq.TCP_KEEPALIVE_INTVL: 10,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.TCP_MAXRT: 120_000,
}
_WHY: Final = {
    errno.EADDRINUSE: "is in use: end the program that listens there, or bind another port"
    " (tcp://127.0.0.1:* takes a free one)",
    errno.EADDRNOTAVAIL: "is no address of this machine: bind 127.0.0.1, 0.0.0.0 or one of its own",
    errno.ENODEV: "names no address or interface of this machine: bind 127.0.0.1 or 0.0.0.0",
    errno.EACCES: "may not be bound by this user: take a port over 1023, or a path it may write",
}


class ZeromqPublisher:
    """Publishes on an XPUB socket bound to `bind`; `hwm` in frames for each subscriber, 0 for no
    limit. Sending never waits."""

    name = "zeromq"

    def __init__(self, bind: str, hwm: int) -> None:
        self._bind = bind
        self._hwm = hwm
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes]
        self._poller: zmq.Poller
        self.endpoint = ""  # where it is bound, with the port that the system chose
        self.overflows = 0  # times that a subscriber's queue was found full

    def open(self) -> None:
        """Bind. Raises `ClientError` 400 where the address is wrong or in use."""
        self.close()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.copy_threshold = COPY_BYTES
        self._socket.setsockopt(zmq.SNDHWM, self._hwm)
        self._socket.setsockopt(zmq.IPV6, int("[" in self._bind))
        for option, value in _OPTIONS.items():
            self._socket.setsockopt(option, value)
        try:
            self._socket.bind(self._bind)
        except zmq.ZMQError as error:
            self.close()
            why = _WHY.get(
                error.errno or 0, f"can't be bound ({error.strerror}): write tcp://127.0.0.1:5556"
            )
            raise ClientError(400, f"ZeroMQ: {one_line(self._bind)} {why}") from None
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)

    def publish(self, messages: Sequence[Message]) -> None:
        """Send in order; never waits and never fails."""
        send = self._socket.send
        for topic, payload in messages:
            try:
                send(topic, zmq.SNDMORE | zmq.DONTWAIT)
            except zmq.Again:
                self._begin_at_full_queue(topic)
            send(payload, zmq.DONTWAIT, copy=False)

    def _begin_at_full_queue(self, topic: bytes) -> None:
        """Begin a message to all but the subscribers whose queue is full. Until such a one has
        read on, ZeroMQ passes it over by itself, and counts as little as we can."""
        first_part = zmq.SNDMORE | zmq.DONTWAIT
        # ZeroMQ looks at most once a millisecond at what was read; asked for events, it does now.
        self._socket.getsockopt(zmq.EVENTS)
        try:
            self._socket.send(topic, first_part)
        except zmq.Again:
            self.overflows += 1
            self._socket.setsockopt(zmq.XPUB_NODROP, 0)
            self._socket.send(topic, first_part)
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)

    def joined(self) -> list[bytes]:
        """Prefixes subscribed to since the last call. What else a peer may send is ignored."""
        prefixes: dict[bytes, None] = {}
        for _ in range(JOINS_AT_ONCE):
            try:
                parts = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            if len(parts) == 1 and parts[0].startswith(b"\x01"):
                prefixes[parts[0][1:]] = None
        return list(prefixes)

    def wait(self, wake: int, timeout: float) -> None:
        """Until `wake` is readable, a subscriber came or went, or `timeout` seconds passed."""
        if wake not in self._poller:
            self._poller.register(wake, zmq.POLLIN)
        self._poller.poll(round(timeout * 1000))

    def close(self) -> None:
        """Send what is queued, for at most a second, and let go of the socket. Idempotent."""
        if self._context is not None:
            context, self._context = self._context, None
            self._socket.close()
            context.term()
