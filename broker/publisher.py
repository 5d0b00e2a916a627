"""The seam to a transport out: a dozen lines, implemented in `publishers/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Message(NamedTuple):
    """One frame on its way out: its topic and its bytes, the same bytes for every publisher."""

    topic: bytes
    payload: bytes


class Publisher(Protocol):
    """A transport out. Its methods are called on its outbox's thread only."""

    name: str

    def open(self) -> None:
        """Bind or connect, again after a failure too. Raises `ClientError` (400 a bad address or in
        use, 503 unreachable)."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Send in order. Raises `ClientError` 503 where the transport is gone: the outbox keeps
        the messages and calls again after a backoff, so a part of them may be sent twice."""

    def joined(self) -> list[bytes]:
        """Topic prefixes subscribed to since the last call; empty where a transport can't know."""

    def wait(self, wake: int, timeout: float) -> None:
        """Nothing is to be sent: wait until the file descriptor `wake` is readable, someone joined
        or `timeout` seconds passed. Raises `ClientError` 503 where the transport is found gone."""

    def close(self) -> None:
        """Flush for at most a second, then let go of every socket. Idempotent."""
