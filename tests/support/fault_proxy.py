"""A TCP proxy that misbehaves on demand."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

from tests.support.ports import free_port

_BLOCK: Final = 1 << 16
_LOOK: Final = 0.2  # seconds after which a blocked thread looks whether its link was closed


class FaultProxy:
    """Forwards `127.0.0.1:port` to the target. Attributes may be set at any time, on any thread.

    `delay`: seconds before each block of the answer. `rate`: bytes a second of each answer (None:
    all there is). `cut_after`: for each new connection in turn, the answer's bytes after which it
    is cut (None, or when it has run out: never). `reset`: cuts are RST rather than FIN.
    """

    def __init__(
        self,
        target_host: str,
        target_port: int,
        *,
        delay: float = 0.0,
        rate: float | None = None,
        cut_after: Iterable[int | None] = (),
        reset: bool = False,
    ) -> None:
        self._target = (target_host, target_port)
        self.delay = delay
        self.rate = rate
        self.reset = reset
        self.cut_after = cut_after
        self.port = free_port()
        self.connections = 0  # accepted in all
        self.cuts = 0  # made by us
        self.bytes_up = 0  # to the target
        self.bytes_down = 0  # to the clients
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._links: set[_Link] = set()
        self._acceptor: threading.Thread | None = None

    @property
    def cut_after(self) -> Iterable[int | None]:
        """What is left of the byte counts."""
        return self._cut_after

    @cut_after.setter
    def cut_after(self, counts: Iterable[int | None]) -> None:
        self._cut_after = iter(counts)

    @property
    def url(self) -> str:
        """The proxy's address, where what it forwards is HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many there are now."""
        with self._lock:
            return len(self._links)

    def start(self) -> None:
        """Listen; after `refuse`, listen again on the same port. Idempotent."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
            self._acceptor = threading.Thread(
                target=self._accept, args=(self._listener,), name="proxy-accept", daemon=True
            )
            self._acceptor.start()

    def refuse(self) -> None:
        """Refuse new connections; open ones go on. Idempotent."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()
        if self._acceptor is not None:
            self._acceptor.join()

    def freeze(self) -> None:
        """Half-open: accept, keep everything open, and forward nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Forward again."""
        self._flowing.set()

    def cut_all(self) -> None:
        """Cut every open connection; go on listening."""
        with self._lock:
            links = list(self._links)
        for link in links:
            self._cut(link)

    def stop(self) -> None:
        """Close everything; no thread is left. Idempotent."""
        self.refuse()
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close(reset=False)
        self._flowing.set()
        for link in links:
            link.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=5.0)
            except OSError:
                client.close()
                continue
            link = _Link(client, server, next(iter(self._cut_after), None))
            with self._lock:
                self.connections += 1
                self._links.add(link)
            link.start(self)

    def _cut(self, link: _Link) -> None:
        if link.close(reset=self.reset):
            with self._lock:
                self.cuts += 1

    def up(self, link: _Link) -> None:
        """Forward what the client sends (one thread a connection)."""
        while block := link.receive(link.client):
            if not self._may_flow(link) or not link.send(link.server, block):
                return
            with self._lock:
                self.bytes_up += len(block)

    def down(self, link: _Link) -> None:
        """Forward the answer, with its faults (one thread a connection)."""
        left = link.cut_after
        size = _BLOCK
        while block := link.receive(link.server, size):
            rate = self.rate
            # Short blocks where it is slow, so that a cut or a change of rate is not late.
            size = max(1, min(_BLOCK, int(rate / 20))) if rate else _BLOCK
            link.closed.wait(self.delay + (len(block) / rate if rate else 0.0))
            if not self._may_flow(link):
                return
            part = block if left is None else block[:left]
            if part and not link.send(link.client, part):
                return
            with self._lock:
                self.bytes_down += len(part)
            if left is not None:
                left -= len(part)
                if left == 0:
                    self._cut(link)
                    return

    def _may_flow(self, link: _Link) -> bool:
        while not link.closed.is_set():
            if self._flowing.wait(0.05):
                return True
        return False

    def done(self, link: _Link) -> None:
        """The link is closed."""
        with self._lock:
            self._links.discard(link)


class _Link:
    """One client's connection, and ours to the target for it."""

    def __init__(self, client: socket.socket, server: socket.socket, cut_after: int | None) -> None:
        self.client = client
        self.server = server
        self.cut_after = cut_after
        for end in (client, server):
            end.settimeout(_LOOK)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self, proxy: FaultProxy) -> None:
        upward = threading.Thread(target=self._run, args=(proxy.up,), daemon=True)
        downward = threading.Thread(target=self._answer, args=(proxy, upward), daemon=True)
        self._threads = [downward]
        upward.start()
        downward.start()

    def receive(self, source: socket.socket, size: int = _BLOCK) -> bytes:
        """The next bytes; none where it is over."""
        while not self.closed.is_set():
            try:
                return source.recv(size)
            except TimeoutError:
                continue
            except OSError:
                break
        return b""

    def send(self, target: socket.socket, block: bytes) -> bool:
        """Send all of it; whether that went."""
        view = memoryview(block)
        while view and not self.closed.is_set():
            try:
                view = view[target.send(view) :]
            except TimeoutError:
                continue
            except OSError:
                break
        return not view

    def close(self, *, reset: bool) -> bool:
        """End both directions; False where it was closed before."""
        with self._lock:
            if self.closed.is_set():
                return False
            self.closed.set()
            with contextlib.suppress(OSError):
                self.server.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                if reset:  # close() will then send RST; no FIN may go before it
                    linger = struct.pack("ii", 1, 0)
                    self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.client.shutdown(socket.SHUT_RD)
                else:
                    self.client.shutdown(socket.SHUT_RDWR)
            return True

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10.0)

    def _run(self, forward: Callable[[_Link], None]) -> None:
        forward(self)
        self.close(reset=False)

    def _answer(self, proxy: FaultProxy, upward: threading.Thread) -> None:
        self._run(proxy.down)
        upward.join()
        self.client.close()
        self.server.close()
        proxy.done(self)
