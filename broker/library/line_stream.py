"""Messages of one log in, sanitized lines out, up to the stream's totals. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from broker.errors import ClientError
from broker.library.request import Request
from broker.limits import StreamLimits
from broker.text.lines import Chunk, LineAssembler
from broker.text.pipeline import Pipeline
from broker.text.redact import Redactor


class Message(NamedTuple):
    """One HTTP read or websocket message, or a part of one; `begins`: its first (or only) part."""

    data: bytes
    begins: bool = True


class LineStream:
    """One stream's lines, counted. Not thread-safe."""

    def __init__(self, limits: StreamLimits, request: Request) -> None:
        self._limits = limits
        self._request = request
        self._assembler = LineAssembler(max_line=limits.max_message_size)
        self._pipeline = Pipeline(_redactor(), limits.max_message_size)
        self._key_lines = 0
        self._messages = 0
        self._lines = 0
        self._bytes = 0

    def read(self, messages: Iterator[Sequence[Message]]) -> Iterator[str]:
        """The lines, each as soon as it is complete; at the end the unfinished one as well. Small
        messages that have come together are handed over together: the pipeline likes large chunks.

        Going over a limit raises `ClientError` 429, and an error of `messages` is raised, after
        all complete lines before it. The line that it cuts is not delivered: half a secret would
        not be recognised as one.
        """
        failure: ClientError | None = None
        while failure is None:
            # Only what `messages` raises is caught here, not what `_lines_of` does.
            try:
                batch = next(messages)
            except StopIteration:
                break
            except ClientError as error:
                failure = error
                break
            data, failure = self._count(batch)
            yield from self._lines_of(self._assembler.feed(data))
        yield from self._lines_of(self._assembler.end())
        if failure is not None:
            raise failure
        last = self._assembler.partial()
        yield from self._lines_of([last] if last else [])

    def _count(self, batch: Sequence[Message]) -> tuple[bytes, ClientError | None]:
        """The bytes that the limits allow of these messages, and the error where they have more."""
        limits = self._limits
        pieces: list[bytes] = []
        for message in batch:
            self._messages += message.begins
            if self._messages > limits.max_messages:
                error = self._request.error(429, f"over {limits.max_messages} messages")
                return b"".join(pieces), error
            allowed = limits.max_bytes - self._bytes
            self._bytes += len(message.data)
            pieces.append(message.data[:allowed])
            if len(message.data) > allowed:
                error = self._request.error(429, f"over {limits.max_bytes} bytes")
                return b"".join(pieces), error
        return b"".join(pieces), None

    def _lines_of(self, chunks: Iterable[Chunk]) -> Iterator[str]:
        for chunk in chunks:
            batch = self._pipeline.process(chunk, self._key_lines)
            self._key_lines = batch.key_lines
            allowed = self._limits.max_lines - self._lines
            self._lines += len(batch.lines)
            yield from batch.lines[:allowed]
            if len(batch.lines) > allowed:
                raise self._request.error(429, f"over {self._limits.max_lines} lines")


@cache
def _redactor() -> Redactor:
    """One for all streams: compiling its rules takes longer than a short stream."""
    return Redactor()
