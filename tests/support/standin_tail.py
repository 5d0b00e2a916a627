"""The stand-in's `/logs/tail`: Ray's own reading loop, on a websocket that only sends."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Final

from tests.support.standin_cluster import TERMINAL, Cluster
from tests.support.standin_http import Handler

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT: Final = 0x81
_CLOSE: Final = 0x88
_MAX_MESSAGE: Final = 4 << 20  # of Ray's inner websocket, between dashboard and agent


def serve_tail(handler: Handler, job_id: str) -> None:
    """Send the log from its start until its job is over; close 1000, whatever happened."""
    cluster = handler.cluster
    key = handler.headers.get("Sec-WebSocket-Key", "")
    handler.send_response(101)
    handler.send_header("Upgrade", "websocket")
    handler.send_header("Connection", "Upgrade")
    accept = hashlib.sha1(key.encode() + _GUID).digest()
    handler.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
    handler.end_headers()
    handler.wfile.flush()
    handler.close_connection = True
    with cluster.tail_open(job_id):
        if _supervisor_started(cluster, job_id, handler.cut):
            # One bad byte ends Ray's reader for good; the client sees 1000, as at a good end.
            with contextlib.suppress(UnicodeDecodeError):
                for message in _messages(cluster, job_id, handler.cut):
                    data = message.encode()
                    if len(data) >= _MAX_MESSAGE:
                        break
                    handler.connection.sendall(_frame(_TEXT, data))
        if not handler.cut.is_set():
            handler.connection.sendall(_frame(_CLOSE, struct.pack("!H", 1000)))
            _await_close(handler.connection)


def _supervisor_started(cluster: Cluster, job_id: str, cut: Event) -> bool:
    """Wait until the job has an agent; False where it ended without one."""
    while True:
        job = cluster.job(job_id)
        if job is None or cut.is_set():
            return False
        if job["driver_agent_http_address"] is None and job["status"] in TERMINAL:
            return False
        cut.wait(cluster.timing.start_delay or cluster.timing.poll)
        if job["driver_agent_http_address"] is not None:
            return True


def _messages(cluster: Cluster, job_id: str, cut: Event) -> Iterator[str]:
    finished = False
    for lines in _tail(cluster.log_path(job_id)):
        if lines:
            yield "".join(lines)
            continue
        if finished or cut.is_set():
            return
        job = cluster.job(job_id)
        if job is None:  # Ray asks a status of None whether it is terminal, and fails
            return
        if job["status"] in TERMINAL:
            finished = True
            cut.wait(cluster.timing.end_delay)
        cut.wait(cluster.timing.poll)


def _tail(path: Path) -> Iterator[list[str]]:
    """At most 10 lines or about 20,000 characters at once; nothing at the end of the file."""
    while not path.exists():
        yield []
    with path.open(encoding="utf-8") as log:  # universal newlines, as Ray has them
        lines: list[str] = []
        characters = 0
        while True:
            line = log.readline()
            if line:
                lines.append(line)
                characters += len(line)
            if len(lines) >= 10 or characters > 20_000 or not line:
                yield lines
                lines, characters = [], 0


def _frame(kind: int, data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return struct.pack("!BB", kind, size) + data
    if size < 1 << 16:
        return struct.pack("!BBH", kind, 126, size) + data
    return struct.pack("!BBQ", kind, 127, size) + data


def _await_close(connection: socket.socket) -> None:
    """Let the client answer the close for up to 2 s. Nothing it ever sent was read."""
    deadline = time.monotonic() + 2.0
    with contextlib.suppress(OSError):
        while select.select([connection], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if not connection.recv(65536):
                return
