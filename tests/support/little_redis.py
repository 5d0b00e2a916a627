"""A little server that speaks just enough of Redis's protocol to be asked PING."""

from __future__ import annotations

import socketserver
import threading
from typing import Self


class LittleRedis:
    """Answers +OK to everything but PING and AUTH, for which a test gives the line."""

    def __init__(self, ping: bytes = b"+PONG", auth: bytes = b"+OK") -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(handler) -> None:
                while header := handler.rfile.readline():
                    words = []
                    for _ in range(int(header[1:])):
                        size = int(handler.rfile.readline()[1:])
                        words.append(handler.rfile.read(size + 2)[:-2].upper())
                    reply = {b"PING": ping, b"AUTH": auth}.get(words[0], b"+OK")
                    handler.wfile.write(reply + b"\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
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
