"""Plain subscribers, as someone would write them without raytap."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol

import redis
import zmq

from broker.publisher import Message, Publisher
from publishers.memory import MemoryPublisher
from publishers.redis_pubsub import RedisPublisher
from publishers.zeromq import ZeromqPublisher
from tests.support.wait import wait_until

Receive = Callable[[int], list[Message]]  # the next messages, so many


class Backend(Protocol):
    """A transport with its subscribers."""

    @property
    def publisher(self) -> Publisher:
        """It is not open yet."""

    def subscribe(self, prefix: bytes) -> Receive:
        """A subscriber to a prefix of topics; it is subscribed when this returns."""


class MemoryBackend:
    def __init__(self) -> None:
        self.publisher = MemoryPublisher()

    def subscribe(self, prefix: bytes) -> Receive:
        seen = 0

        def receive(count: int) -> list[Message]:
            nonlocal seen
            seen += count
            self.publisher.received(seen, prefix)
            mine = [m for m in self.publisher.messages if m.topic.startswith(prefix)]
            return mine[seen - count : seen]

        return receive


class ZeromqBackend:
    def __init__(self, stack: ExitStack, bind: str = "tcp://127.0.0.1:*") -> None:
        self.publisher = ZeromqPublisher(bind, hwm=0)
        self._context = stack.enter_context(zmq.Context())
        self._stack = stack

    def subscribe(self, prefix: bytes) -> Receive:
        subscriber = self._stack.enter_context(self._context.socket(zmq.SUB))
        subscriber.linger = 0
        subscriber.rcvhwm = 0
        subscriber.subscribe(prefix)
        subscriber.connect(self.publisher.endpoint)
        wait_until(lambda: prefix in self.publisher.joined(), message="the join is seen")

        def receive(count: int) -> list[Message]:
            messages: list[Message] = []
            for _ in range(count):
                assert subscriber.poll(10_000), f"only {len(messages)} of {count} messages"
                messages.append(Message(*subscriber.recv_multipart()))
            return messages

        return receive


class RedisBackend:
    def __init__(self, stack: ExitStack, url: str) -> None:
        self.publisher = RedisPublisher(url)
        self._stack = stack
        self._url = url

    def subscribe(self, prefix: bytes) -> Receive:
        client: Any = redis.Redis.from_url(self._url, protocol=2)  # its pubsub has no types
        self._stack.callback(client.close)
        pubsub = client.pubsub()
        self._stack.callback(pubsub.close)
        if prefix.count(b"/") == 2:
            pubsub.subscribe(b"raytap/" + prefix)
        else:
            pubsub.psubscribe(b"raytap/" + prefix + b"*")
        confirmed = pubsub.get_message(timeout=10.0)
        assert confirmed["type"] in ("subscribe", "psubscribe")

        def receive(count: int) -> list[Message]:
            messages: list[Message] = []
            deadline = time.monotonic() + 10.0
            while len(messages) < count:
                assert time.monotonic() < deadline, f"only {len(messages)} of {count} messages"
                got = pubsub.get_message(timeout=1.0)
                if got:
                    messages.append(Message(got["channel"].removeprefix(b"raytap/"), got["data"]))
            return messages

        return receive
