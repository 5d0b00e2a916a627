"""uvicorn in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from broker.addresses import host_port
from broker.errors import ClientError
from broker.events import get_logger
from broker.web.protocol import Protocol

events: Final = get_logger("http")

_BACKLOG: Final = 1024  # many clients come back at once when a server was started anew
_UNSENT: Final = 128 << 10  # bytes
_WORKERS: Final = 12  # the replays, and health, jobs and metrics beside them


class HttpServer:
    """Serves an application on `bind` (`HOST:PORT`, port 0 lets the system choose).

    `start` and `stop` are called on one thread. `stall_s`: a client that takes nothing for so
    long is cut off. `flag` names the option that chooses another address, for the error; `up` is
    called on the loop's thread before the first request.
    """

    def __init__(
        self,
        app: ASGIApp,
        bind: str,
        *,
        stall_s: float = 60.0,
        flag: str = "--http",
        up: Callable[[], None] = lambda: None,
    ) -> None:
        self._bind = bind
        self._stall_s = stall_s
        self._flag = flag
        self._server = _Server(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
            ),
            up,
        )
        self._thread: threading.Thread | None = None
        self.address = ""  # HOST:PORT as it is in fact, once started

    def start(self) -> None:
        """Returns when requests are answered. Raises `ClientError` 400 where `bind` can't be."""
        self._server.config.load()
        listener = self._listen()
        host, port = listener.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="raytap-http", daemon=True
        )
        self._thread.start()
        self._server.up.wait()

    def stop(self, timeout: float = 5.0) -> None:
        """Answers what was asked for half of `timeout` (seconds), then cuts. Idempotent."""
        if self._thread is None:
            return
        self._server.grace_s = timeout / 2
        self._server.should_exit = True
        self._thread.join(timeout)
        if self._thread.is_alive():  # a read from Ray is under way; it ends with its own timeout
            events.warning("http_stop_timed_out", timeout_s=timeout)
        self._thread = None

    def _listen(self) -> socket.socket:
        try:
            host, port = host_port(self._bind)
        except ValueError as error:
            raise ClientError(400, f"HTTP address: {error}") from None
        host = "" if host == "*" else host
        try:
            family = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0][0]
            listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ClientError(
                400,
                f"cannot serve HTTP on {self._bind}: {reason}. End what listens there "
                f"(perhaps another raytap), or choose another address with {self._flag} HOST:PORT",
            ) from None
        # Accepted connections inherit it. The kernel cuts a peer that takes nothing, so a
        # stalled client cannot hold a replay for ever.
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(self._stall_s * 1000)
        )
        # asyncio sets it only where the listener was made for TCP by number: each answer on a kept
        # connection would wait 40 ms for the other side's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What was not sent yet waits with us, where it is counted, not with the kernel.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        return listener


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_up = on_up
        self.up = threading.Event()
        self.grace_s = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="raytap-http")
        asyncio.get_running_loop().set_default_executor(workers)
        self._on_up()
        try:
            await super().startup(sockets)
        finally:
            self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Cutting the connections ends their tasks in order; cancelling them would not.
        asyncio.get_running_loop().call_later(self.grace_s, self._cut)
        await super().shutdown(sockets)

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
