"""A real HTTP receiver on 127.0.0.1 which answers as a test tells it to, or doesn't."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from tests.support.tls_server import Certificate
from tests.support.wait import wait_until


class Post(NamedTuple):
    """One request that came; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float  # monotonic

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


class Answer(NamedTuple):
    """What is answered after `delay` seconds (or once `Receiver.release` was called)."""

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    hang: bool = False  # until released; then the connection is closed
    drip: float = 0.0  # seconds between single bytes of the answer
    close: bool = False  # without an answer


OK = Answer()


class Receiver:
    """Runs while it is entered, over TLS where a certificate is given. `answer` is asked for each
    request, with it and its number."""

    def __init__(
        self,
        answer: Callable[[Post, int], Answer] = lambda _post, _number: OK,
        certificate: Certificate | None = None,
    ) -> None:
        self.posts: list[Post] = []
        self.answer = answer
        self._released = threading.Event()
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(size)
                if len(body) < size:  # whoever sent it was killed
                    self.close_connection = True
                    return
                post = Post(self.path, headers, body, time.monotonic())
                with receiver._lock:
                    receiver.posts.append(post)
                    number = len(receiver.posts) - 1
                receiver._reply(self, receiver.answer(post, number))

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # who finds it full tries again only a second later
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the other side left, as tests want it to

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.file, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    @property
    def keys(self) -> list[str]:
        """The idempotency keys that came, in order."""
        return [post.key for post in self.posts]

    def until(self, count: int, timeout: float = 10.0) -> list[Post]:
        """Wait for so many requests."""
        wait_until(lambda: len(self.posts) >= count, timeout, f"{count} posts")
        return self.posts

    def release(self) -> None:
        """Let everything that hangs or waits go on."""
        self._released.set()

    def _reply(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.close_connection = True
        if answer.hang:
            self._released.wait(60)
            return
        if answer.delay:
            self._released.wait(answer.delay)
        if answer.close:
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        head = [f"HTTP/1.1 {answer.status} Said", f"Content-Length: {len(answer.body)}"]
        head += [f"{name}: {value}" for name, value in answer.headers]
        data = "\r\n".join([*head, "Connection: close", "", ""]).encode() + answer.body
        if not answer.drip:
            handler.wfile.write(data)
            return
        for index in range(len(data)):
            handler.wfile.write(data[index : index + 1])
            if self._released.wait(answer.drip):
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
