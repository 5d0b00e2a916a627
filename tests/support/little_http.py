"""A little HTTP server on 127.0.0.1 that answers what a test tells it to."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple, Self


class Reply(NamedTuple):
    """Status, body and headers; a body that is no bytes is sent as JSON."""

    status: int
    body: object = b""
    headers: Mapping[str, str] = MappingProxyType({})


Answer = Callable[[str, dict[str, str]], Reply]  # (path, lower-case headers)


class LittleHttp:
    """Serves GET from a thread while it is entered; `url` is where, `asked` is what was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:
                headers = {name.lower(): value for name, value in handler.headers.items()}
                self.asked.append((handler.path, headers))
                status, body, more = answer(handler.path, headers)
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                handler.send_response(status)
                handler.send_header("Content-Length", str(len(data)))
                for name, value in more.items():
                    handler.send_header(name, value)
                handler.end_headers()
                handler.wfile.write(data)

            def log_message(handler, format: str, *args: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # who finds it full tries again only a second later
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # it left without hearing us out
            super().handle_error(request, client_address)
