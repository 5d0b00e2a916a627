"""Live frames over ZeroMQ: one SUB socket, connected to every broker."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import zmq

from broker.errors import ClientError
from subscribers.events import Connected, Disconnected, Received, TransportEvent
from subscribers.selection import Selection

_BATCH: Final = 256  # messages a call; the monitor gets its turn between
_HWM: Final = 1_000  # frames for each broker that wait in the socket: bounded, and repaired beyond
_MAX_MESSAGE: Final = 64 << 20


class ZeroMQTransport:
    """SUB over one or several endpoints; several brokers of one cluster are a hot standby."""

    def __init__(self, endpoints: Sequence[str]) -> None:
        self._endpoints = tuple(endpoints)
        self._prefixes: list[bytes] = []
        self._connected: set[bytes] = set()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None

    def open(self, selection: Selection) -> None:
        self._prefixes = selection.prefixes()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.RCVHWM, _HWM),
            (zmq.MAXMSGSIZE, _MAX_MESSAGE),
            (zmq.RECONNECT_IVL, 100),
            (zmq.RECONNECT_IVL_MAX, 1_000),
            (zmq.HEARTBEAT_IVL, 5_000),  # a half-open connection is given up after 15 s
            (zmq.HEARTBEAT_TIMEOUT, 15_000),
        ):
            self._socket.setsockopt(option, value)
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        for prefix in self._prefixes:
            self._socket.subscribe(prefix)
        for endpoint in self._endpoints:
            try:
                self._socket.connect(endpoint)
            except zmq.ZMQError as error:
                self.close()
                raise ClientError(
                    400, f"ZeroMQ endpoint {endpoint!r}: {error}; tcp://HOST:PORT is one"
                ) from None
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)

    def receive(self, timeout: float) -> list[TransportEvent]:
        ready = dict(self._poller.poll(int(timeout * 1000)))
        events: list[TransportEvent] = []
        if self._monitor in ready:
            events += self._connection_event()
        if self._socket in ready:
            try:
                for _ in range(_BATCH):
                    topic, *payload = self._socket.recv_multipart(zmq.NOBLOCK)
                    events.append(Received(topic, b"".join(payload)))
            except zmq.Again:
                pass
        return events

    def _connection_event(self) -> list[TransportEvent]:
        number, endpoint = self._monitor.recv_multipart()
        if struct.unpack("=hi", number)[0] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._connected.add(endpoint)
            return [Connected(endpoint.decode())]
        self._connected.discard(endpoint)
        if self._connected:
            return []
        return [Disconnected(f"no broker at {', '.join(self._endpoints)}")]

    def nudge(self) -> None:
        """A second subscription to the same prefix goes out, and the broker's XPUB_VERBOSE takes
        it for a join; taking it back only lowers a count on this side."""
        for prefix in self._prefixes:
            self._socket.subscribe(prefix)
            self._socket.unsubscribe(prefix)

    def close(self) -> None:
        if self._context is None:
            return
        self._socket.disable_monitor()
        self._socket.close(0)
        self._context.destroy(0)
        self._context = None
