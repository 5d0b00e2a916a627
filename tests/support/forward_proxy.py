"""A small HTTP proxy on 127.0.0.1: it forwards whole addresses, and makes tunnels."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit


class ForwardProxy:
    """Runs while it is entered. `asked` holds each request's first words and its headers, names in
    lower case; with `refuses`, that status is all it answers."""

    def __init__(self, refuses: int = 0) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                proxy._note(self)
                if refuses:
                    self.send_error(refuses)
                    return
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                there = HTTPConnection(parts.hostname or "", parts.port, timeout=5)
                headers = {k: v for k, v in self.headers.items() if not k.startswith("Proxy-")}
                there.request("POST", parts.path, body, headers)
                answer = there.getresponse()
                said = answer.read()
                there.close()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def do_CONNECT(self) -> None:
                proxy._note(self)
                if refuses:
                    self.send_error(refuses)
                    return
                host, _, port = self.path.rpartition(":")
                with socket.create_connection((host, int(port)), timeout=5) as there:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=_pass_on, args=(there, self.connection))
                    back.start()
                    _pass_on(self.connection, there)
                    back.join()

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def _note(self, request: BaseHTTPRequestHandler) -> None:
        named = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.command, request.path, named))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
