"""Plain subscribers that count: pyzmq and redis-py as anyone would use them, each on a thread."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from typing import Any, Final

from broker.demo.counting import Tally
from broker.errors import ClientError

_GLANCE_S: Final = 0.1
_GLANCE_MS: Final = 100


class Listener(ABC):
    """Listens from `start` on, which returns once it is subscribed, until `stop` (idempotent)."""

    name = ""

    def __init__(self) -> None:
        self.tally = Tally()
        self.problem = ""
        self._subscribed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"count-{self.name}", daemon=True)

    def start(self, timeout: float = 10.0) -> None:
        """Raises `ClientError` 503 where it can't subscribe in `timeout` seconds."""
        self._thread.start()
        deadline = time.monotonic() + timeout
        while not self._subscribed.wait(_GLANCE_S):
            if self.problem or time.monotonic() > deadline:
                why = self.problem or f"no connection in {timeout:g} s"
                raise ClientError(503, f"the counting {self.name} subscriber: {why}")

    def stop(self) -> None:
        """Let go of the connection and the thread."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._listen()
        except Exception as error:  # shown with the counts, which do not agree then
            self.problem = f"{type(error).__name__}: {error}"

    @abstractmethod
    def _listen(self) -> None:
        """Until it is to stop: take what comes."""


class ZeromqListener(Listener):
    """A SUB socket without a high-water mark."""

    name = "zeromq"

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._endpoint = endpoint

    def _listen(self) -> None:
        import zmq
        from zmq.utils.monitor import recv_monitor_message

        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.setsockopt(zmq.RCVHWM, 0)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.SUBSCRIBE, b"")
            monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
            socket.connect(self._endpoint)
            while not self._subscribed.is_set() and not self._stopping.is_set():
                if monitor.poll(_GLANCE_MS):
                    recv_monitor_message(monitor)
                    self._subscribed.set()
            socket.disable_monitor()
            while not self._stopping.is_set():
                if socket.poll(_GLANCE_MS):
                    _topic, payload = socket.recv_multipart()
                    self.tally.take(payload)


class RedisListener(Listener):
    """A pattern subscription to every job."""

    name = "redis"

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def _listen(self) -> None:
        import redis

        client: Any = redis.Redis.from_url(self._url, protocol=2, socket_timeout=30.0)
        with contextlib.closing(client), contextlib.closing(client.pubsub()) as pubsub:
            pubsub.psubscribe("raytap/*")
            while not self._stopping.is_set():
                message = pubsub.get_message(timeout=_GLANCE_S)
                if message is None:
                    continue
                if message["type"] == "psubscribe":
                    self._subscribed.set()
                elif message["type"] == "pmessage":
                    self.tally.take(message["data"])
