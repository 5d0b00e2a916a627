"""`[access]` read again while a program runs, so that a token is taken back without a restart."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, Final, Protocol, TypeAlias

import msgspec

from broker.config.config import AccessConfig
from broker.errors import ClientError
from broker.events import get_logger

events: Final = get_logger("access")

Apply: TypeAlias = Callable[[AccessConfig], object]
"""Raises `ConfigError` for permissions that are not taken; then nothing has changed."""


class AccessChanges(Protocol):
    """Where new permissions come from."""

    def follow(self, apply: Apply) -> None:
        """Hand each over, on a thread of its own. Once."""

    def hangup(self) -> None:
        """SIGHUP came. From a signal handler."""


class ReadAgain:
    """By SIGHUP: `read` gives what the configuration says now, or raises `ConfigError`."""

    def __init__(self, read: Callable[[], AccessConfig]) -> None:
        self._read = read
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()  # a handler may put into it

    def follow(self, apply: Apply) -> None:
        _start(self._changes(), apply)

    def hangup(self) -> None:
        self._asked.put(None)

    def _changes(self) -> Iterator[Callable[[], AccessConfig]]:
        while True:
            self._asked.get()
            yield self._read


class FromParent:
    """A line of JSON each, on what was the program's standard input."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def follow(self, apply: Apply) -> None:
        _start(self._changes(), apply)

    def hangup(self) -> None:
        """The parent gets it too, and tells."""

    def _changes(self) -> Iterator[Callable[[], AccessConfig]]:
        for line in self._stream:
            yield partial(msgspec.json.decode, line, type=AccessConfig)


def _start(changes: Iterator[Callable[[], AccessConfig]], apply: Apply) -> None:
    def run() -> None:
        for read in changes:
            _take(read, apply)

    threading.Thread(target=run, name="raytap-access", daemon=True).start()


def _take(read: Callable[[], AccessConfig], apply: Apply) -> None:
    try:
        access = read()
        apply(access)
    except ClientError as error:
        events.error("access_not_reloaded", why=error.message, effect="as it was")
    except Exception as error:  # the next one may be right
        events.exception("access_not_reloaded", error)
    else:
        events.info("access_reloaded", tokens=sorted(access.token))
