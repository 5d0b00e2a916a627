"""The stand-in's HTTP server: threads, keep-alive, tokens, injected faults, hard cuts."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.ports import free_port
from tests.support.standin_cluster import Cluster


class Handler(BaseHTTPRequestHandler):
    """One connection. Subclasses have `handle_request`."""

    cluster: Cluster
    public_paths: frozenset[str] = frozenset()
    keep_alive = 75.0  # seconds
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server_version = "standin"
    sys_version = ""

    def handle_request(self, path: str, query: Mapping[str, str]) -> None:
        """Answer; `self.command` is the method."""
        raise NotImplementedError

    def setup(self) -> None:
        super().setup()
        assert isinstance(self.server, _Listening)
        self.cut = self.server.cut_event(self.request)

    def handle_one_request(self) -> None:
        self.connection.settimeout(self.keep_alive)
        try:
            super().handle_one_request()
        except (OSError, ValueError):  # cut, by the client or by us
            self.close_connection = True

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def parse_request(self) -> bool:
        self.connection.settimeout(None)
        return super().parse_request()

    def _dispatch(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        fault = self.cluster.fault_for(parts.path)
        if fault is not None:
            self.cluster.count("fault")
            self.text(fault.status, fault.body, fault.headers)
        elif self._authorized(parts.path):
            query = parse_qs(parts.query, keep_blank_values=True)
            self.handle_request(parts.path, {key: values[-1] for key, values in query.items()})

    do_GET = do_HEAD = do_POST = do_DELETE = _dispatch

    def _authorized(self, path: str) -> bool:
        if self.cluster.token is None or path in self.public_paths:
            return True
        header = self.headers.get("Authorization")
        if not header:
            self.text(401, "Unauthorized: Missing authentication token")
        elif header != f"Bearer {self.cluster.token}":
            self.text(403, "Forbidden: Invalid authentication token")
        else:
            return True
        return False

    def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def text(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        """A text answer."""
        kind = {"Content-Type": "text/plain; charset=utf-8"}
        self.reply(status, text.encode(), kind | dict(headers or {}))

    def json(self, value: Any) -> None:
        """A JSON answer."""
        kind = {"Content-Type": "application/json; charset=utf-8"}
        self.reply(200, json.dumps(value).encode(), kind)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests want no access log."""


class Server:
    """One listening port that can go down and come back. A thread for each connection."""

    def __init__(self, handler: type[Handler], port: int = 0) -> None:
        self._handler = handler
        self.port = port or free_port()
        self._server: _Listening | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen. Idempotent."""
        if self._server is None:
            server = _Listening(("127.0.0.1", self.port), self._handler)
            self._server = server
            self._thread = threading.Thread(
                target=server.serve_forever, args=(0.02,), name=f"standin-{self.port}", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop listening and cut every connection, as a `kill -9` would. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.cut()
            server.join()
        if self._thread is not None:
            self._thread.join()

    def cut(self) -> None:
        """Cut every connection and go on listening."""
        if self._server is not None:
            self._server.cut()


class _Listening(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        self._open: dict[socket.socket, tuple[threading.Thread, threading.Event]] = {}
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._guard:
            self._open[request] = thread, threading.Event()
        thread.start()

    def cut_event(self, request: socket.socket) -> threading.Event:
        """Set when this connection is cut."""
        with self._guard:
            return self._open[request][1]

    def shutdown_request(self, request: Any) -> None:
        with self._guard:  # first: once closed, its number may be another connection's
            self._open.pop(request, None)
        super().shutdown_request(request)

    def cut(self) -> None:
        with self._guard:
            for request, (_, cut) in self._open.items():
                cut.set()
                with contextlib.suppress(OSError):  # wakes its thread, which then closes it
                    request.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        with self._guard:
            threads = [thread for thread, _ in self._open.values()]
        for thread in threads:
            thread.join(10.0)
