"""Many readers of one server-sent stream in one lean process: epoll, raw sockets, no HTTP library.

Each checks that the lines it gets follow one another but for what a `skipped` event names. The
first line of a frame begins with the time at which it was published, ns since 1970.
"""

from __future__ import annotations

import json
import re
import select
import socket
import time
from array import array
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

_END: Final = b"\n\n"
_READ: Final = 1 << 18
_SPAN: Final = re.compile(rb'"first":(\d+),"next":(\d+)')
_PRINTED: Final = re.compile(rb'"lines":\["(\d{19}) ')


class Tally(NamedTuple):
    """What one process's clients got."""

    lags: bytes  # doubles, seconds
    frames: int
    skipped_lines: int  # each announced
    reached: list[int]  # the line that each client stands at


class _Client:
    def __init__(self, address: tuple[str, int], path: str) -> None:
        self.socket = socket.create_connection(address)
        host = f"{address[0]}:{address[1]}"
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        self.socket.setblocking(False)
        self.answered = False
        self.expected: int | None = None
        self.skipped = 0
        self._raw = b""
        self._text = b""

    def events(self) -> list[bytes]:
        """Those that are complete now."""
        data = self.socket.recv(_READ)
        if not data:
            raise AssertionError("the gateway closed a stream")
        self._raw += data
        if not self.answered:
            head, found, rest = self._raw.partition(b"\r\n\r\n")
            if not found:
                return []
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise AssertionError(head.decode())
            if b"transfer-encoding: chunked" not in head.lower():
                raise AssertionError("the stream is not chunked")
            self._raw, self.answered = rest, True
        *events, self._text = (self._text + self._chunks()).split(_END)
        return events

    def _chunks(self) -> bytes:
        """The bodies of the whole chunks that are there."""
        raw, at, bodies = self._raw, 0, []
        while (line := raw.find(b"\r\n", at)) >= 0:
            begin = line + 2
            end = begin + int(raw[at:line], 16)
            if len(raw) < end + 2:
                break
            bodies.append(raw[begin:end])
            at = end + 2
        self._raw = raw[at:]
        return b"".join(bodies)


def read_stream(
    address: tuple[str, int], path: str, count: int, measured_from: Any, link: Connection[Any, Any]
) -> None:
    """Connect, say so, read until told to stop, give the `Tally`. `measured_from`: a shared value,
    ns since 1970; what was published before is left out of the lags (0: everything is)."""
    clients = [_Client(address, path) for _ in range(count)]
    poller = select.epoll()
    by_number = {client.socket.fileno(): client for client in clients}
    for number in by_number:
        poller.register(number, select.EPOLLIN)
    lags: array[float] = array("d")
    frames, told = 0, False
    while not link.poll() or link.recv() != "stop":
        for number, _ in poller.poll(0.2):
            client = by_number[number]
            events, now = client.events(), time.time_ns()
            frames += sum(_check(client, event) for event in events)
            since = int(measured_from.value)
            printed = [int(ns) for event in events for ns in _PRINTED.findall(event)]
            lags.extend((now - ns) / 1e9 for ns in printed if 0 < since <= ns)
        if not told and all(client.answered for client in clients):
            told = True
            link.send("connected")
    reached = [client.expected or 0 for client in clients]
    link.send(Tally(lags.tobytes(), frames, sum(client.skipped for client in clients), reached))


def _check(client: _Client, event: bytes) -> bool:
    """Whether it is a frame; raises where it does not follow what came before."""
    if b"event: frame\n" in event:
        span = _SPAN.search(event)
        if not span:
            raise AssertionError(f"no frame: {event[:200]!r}")
        first, following = int(span[1]), int(span[2])
        if client.expected not in (None, first):
            raise AssertionError(f"line {first} came for {client.expected}, unannounced")
        client.expected = following
        return True
    if b"event: skipped\n" in event:
        told = json.loads(event.partition(b"data: ")[2])
        if client.expected not in (None, told["first"]):
            raise AssertionError(f"{told} was announced at {client.expected}")
        client.expected = told["next"]
        client.skipped += told["next"] - told["first"]
    return False
