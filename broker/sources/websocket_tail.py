"""Live lines where only the dashboard can be reached: Ray's tail, always from the log's start."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import websocket

from broker.error_message import sanitize_error_message
from broker.errors import ClientError
from broker.library.http_status import client_status, explain_answer

BUFFER: Final = 1 << 20  # bytes held for the worker before Ray is back-pressured
_KEEPALIVE: Final = (
    # Silence is never a reason to reconnect, so a peer that vanished is found by TCP alone.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class WebsocketTail:
    """One connection to `/api/jobs/{id}/logs/tail`, read by a thread of its own.

    Ray closes with 1000 whatever happened, so how it ended is never taken as news of the job.
    """

    name = "websocket"

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        connect_timeout: float,
        on_data: Callable[[], None],
        ca_file: str = "",
        proxy: str = "",
    ) -> None:
        self._url = url
        self._headers = [f"{name}: {value}" for name, value in headers.items()]
        self._connect_timeout = connect_timeout
        self._on_data = on_data
        self._options: dict[str, Any] = {}
        if ca_file:
            self._options["sslopt"] = {"ca_certs": ca_file}
        if proxy:
            parts = urlsplit(proxy)
            self._options |= {
                "http_proxy_host": parts.hostname,
                "http_proxy_port": parts.port,
                "proxy_type": parts.scheme or "http",
                "http_no_proxy": ["-"],  # nobody: an empty list would be the environment's
            }
            if parts.username:
                self._options["http_proxy_auth"] = (
                    unquote(parts.username),
                    unquote(parts.password or ""),
                )
        else:
            # It would take a proxy from the environment, and looks at what needs none only where
            # a proxy is named.
            self._options |= {"http_proxy_host": "unused", "http_no_proxy": ["*"]}
        self._buffer = bytearray()
        self._changed = threading.Condition()
        self._stopped = False
        self._closed = False
        self._error: ClientError | None = None
        self._socket: websocket.WebSocket | None = None
        self._thread = threading.Thread(target=self._run, name="raytap-websocket", daemon=True)

    def start(self) -> None:
        """Connect and read, in the background."""
        self._thread.start()

    def take(self) -> bytes:
        """What has come since the last call, without waiting."""
        with self._changed:
            data = bytes(self._buffer)
            self._buffer.clear()
            self._changed.notify_all()
        return data

    @property
    def closed(self) -> bool:
        """Whether the connection is over and everything it brought was taken."""
        with self._changed:
            return self._closed and not self._buffer

    @property
    def error(self) -> ClientError | None:
        """Why it is over, where that was not a close by Ray."""
        return self._error

    def stop(self) -> None:
        """Cut the connection and wait for the thread, for a second at most. An attempt to connect
        is not waited for: it ends with its own timeout, and closes what it may have opened."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._socket is not None:
            self._socket.abort()  # type: ignore[no-untyped-call]
            self._thread.join(1.0)

    def _run(self) -> None:
        try:
            self._read()
        except websocket.WebSocketTimeoutException:
            self._error = ClientError(408, "the dashboard did not answer the tail in time")
        except websocket.WebSocketBadStatusException as error:
            answer = explain_answer(error.status_code, error.resp_body)
            self._error = ClientError(
                client_status(error.status_code), sanitize_error_message(answer, "the tail")
            )
        except (websocket.WebSocketException, OSError) as error:
            text = sanitize_error_message(str(error), "the tail was cut")
            self._error = ClientError(503, text)
        finally:
            if self._socket is not None:
                self._socket.shutdown()  # type: ignore[no-untyped-call]
            with self._changed:
                self._closed = True
            self._on_data()

    def _read(self) -> None:
        self._socket = websocket.create_connection(
            self._url,
            timeout=self._connect_timeout,
            header=self._headers,
            sockopt=_KEEPALIVE,
            skip_utf8_validation=True,  # its check runs at 5 MB/s; the pipeline replaces anyway
            suppress_origin=True,
            redirect_limit=0,  # a redirect would carry the token along
            **self._options,
        )
        self._socket.settimeout(None)
        while not self._stopped:
            opcode, frame = self._socket.recv_data_frame()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return
            if opcode in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
                self._put(frame.data)

    def _put(self, data: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._buffer) < BUFFER)
            was_empty = not self._buffer
            self._buffer += data
        if was_empty:
            self._on_data()
