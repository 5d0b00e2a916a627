"""Where the demo's alerts arrive: a webhook receiver as anyone might write it, with the standard
library alone. It believes nothing whose signature is wrong.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

from broker.text.plain_text import one_line

_MOST_BYTES: Final = 1 << 20
_OLD_S: Final = 300.0  # a request signed so long ago may be somebody's copy of it


class Notice(NamedTuple):
    """One alert of one request."""

    status: str  # firing, resolved
    rule: str
    job: str
    line: str
    fingerprint: str
    verified: bool

    def __str__(self) -> str:
        where = f" at line {self.line}" if self.line else ""
        signed = "signature verified" if self.verified else "its signature is WRONG"
        return one_line(f"alert {self.status}: {self.rule}, {self.job}{where} ({signed})", 300)


class Receiver:
    """Answers on a port of its own, on threads of its own, from `start` to `stop`."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self.secret = secret
        self._clock = clock
        self._notices: list[Notice] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"

    def start(self) -> None:
        """From now on it answers."""
        threading.Thread(target=self._server.serve_forever, name="demo-receiver").start()

    def stop(self) -> None:
        """Let go of the port and the thread. Idempotent."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def notices(self) -> list[Notice]:
        """All that came, in order. Any thread."""
        with self._lock:
            return list(self._notices)

    def take(self, body: bytes, timestamp: str, signature: str) -> bool:
        """A request's body; whether it was signed by who knows the secret, and lately."""
        expected = hmac.new(self.secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
        verified = (
            hmac.compare_digest(f"sha256={expected.hexdigest()}".encode(), signature.encode())
            and timestamp.isdecimal()
            and abs(self._clock() - int(timestamp)) < _OLD_S
        )
        with self._lock:
            self._notices += [_notice(alert, verified) for alert in json.loads(body)["alerts"]]
        return verified

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = min(int(self.headers.get("Content-Length", 0)), _MOST_BYTES)
                timestamp = self.headers.get("X-Raytap-Timestamp", "")
                signature = self.headers.get("X-Raytap-Signature", "")
                verified = receiver.take(self.rfile.read(size), timestamp, signature)
                self.send_response(200 if verified else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """The demo shows what came by itself."""

        return Handler


def _notice(alert: dict[str, Any], verified: bool) -> Notice:
    labels, notes = alert.get("labels", {}), alert.get("annotations", {})
    return Notice(
        str(alert.get("status", "")),
        str(labels.get("alertname", "")),
        str(labels.get("job", "")),
        str(notes.get("line_number", "")),
        str(alert.get("fingerprint", "")),
        verified,
    )
