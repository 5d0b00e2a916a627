"""The seam to a way of getting a log's bytes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from broker.errors import ClientError


class LogReplaced(Exception):
    """The file is not the one that was read before: truncated, rotated or replaced."""


class LogMissing(ClientError):
    """The file is not there (yet)."""

    def __init__(self, message: str) -> None:
        super().__init__(404, message)


class Source(Protocol):
    """Raw bytes of one job's log from a position on. Used by one thread at a time."""

    name: str
    size: int | None
    """The file's size in bytes as the last read saw it."""

    def read(self, offset: int, tail: bytes) -> Generator[bytes]:
        """Bytes from `offset` on, in pieces of at most 1 MiB, until the source has no more now.

        `tail` is what stands right before `offset`: it is compared with the file. Raises
        `LogReplaced` where it differs, `LogMissing` where there is no file, `ClientError`
        (408, 429, 500, 503) otherwise; what was yielded before stays valid.
        """
