"""A websocket server for tests, down to the bytes: each connection is one script's to play."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

TEXT, BINARY, CONTINUATION, CLOSE, PING = 1, 2, 0, 8, 9
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(payload: bytes, opcode: int = TEXT, final: bool = True) -> bytes:
    """An unmasked frame, as a server sends it."""
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 1 << 16:
        return head + struct.pack("!BH", 126, size) + payload
    return head + struct.pack("!BQ", 127, size) + payload


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(struct.pack("!H", code) + reason, CLOSE)


class Peer:
    """One connection, after its request head was read."""

    def __init__(self, sock: socket.socket, head: str, gone: threading.Event) -> None:
        self.socket = sock
        self.head = head
        self.gone = gone  # set when the client closed its side, or the server is stopped

    def accept(self) -> None:
        """Answer the handshake."""
        key = next(
            line.split(":", 1)[1].strip()
            for line in self.head.split("\r\n")
            if line.lower().startswith("sec-websocket-key:")
        )
        proof = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        self.send(
            (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Accept: {proof}\r\n\r\n"
            ).encode()
        )

    def answer(self, status: str, body: bytes = b"", extra: str = "") -> None:
        """Answer as a plain HTTP server."""
        self.send(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body
        )

    def send(self, *data: bytes) -> None:
        self.socket.sendall(b"".join(data))

    def wait_until_gone(self, timeout: float = 10) -> bool:
        """Read until the client closes; whether it did."""
        self.socket.settimeout(timeout)
        with suppress(OSError):
            while self.socket.recv(1 << 16):
                pass
            self.gone.set()
        return self.gone.is_set()


class ScriptedServer:
    """Plays `script(peer)` for each connection on 127.0.0.1, and closes it afterwards."""

    def __init__(self, script: Callable[[Peer], object]) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.heads: list[str] = []
        self.gone = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/logs"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/logs"

    def __enter__(self) -> ScriptedServer:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        with suppress(OSError):  # wakes accept()
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._acceptor.join(5)  # first: it may have taken one more
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive(), "a script hangs"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            thread = threading.Thread(target=self._play, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, sock: socket.socket) -> None:
        head = b""
        with sock, suppress(OSError):
            while b"\r\n\r\n" not in head:
                data = sock.recv(1 << 16)
                if not data:
                    return
                head += data
            self.heads.append(head.decode("latin-1"))
            self._script(Peer(sock, self.heads[-1], self.gone))
