"""Where a reader stands in a log, in raw bytes and in lines, and how it gets there again. Pure."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection
from typing import Final, NamedTuple

from broker.checkpoint import Checkpoint
from broker.text.lines import Chunk, LineAssembler

OVERLAP: Final = 64  # raw bytes compared at every poll
CHUNK: Final = 262_144  # bytes of text in one frame, about; smaller ones cost every reader wake-ups
EPOCH_BYTES: Final = 1024


class Piece(NamedTuple):
    """A chunk and the raw bytes that stand right before its end, for the checkpoint."""

    chunk: Chunk
    tail: bytes


class Mismatch(Exception):
    """The log does not hold the lines that were read before."""


class Cursor:
    """Turns reads into chunks and knows the raw position to read from next."""

    def __init__(self, at: Checkpoint, max_line: int) -> None:
        self._assembler = LineAssembler(at.line, at.offset, at.crc, max_line, CHUNK)
        self._recent = at.tail
        self._start = at.offset or 0  # the raw offset that follows `_recent`

    @property
    def offset(self) -> int | None:
        """The raw offset to read from; None while a websocket reads."""
        if self._assembler.offset is None:
            return None
        return self._assembler.offset + self._assembler.pending

    @property
    def tail(self) -> bytes:
        """The raw bytes right before `offset`."""
        return self._recent

    @property
    def pending(self) -> int:
        """Raw bytes held that no line end has followed yet."""
        return self._assembler.pending

    @property
    def line(self) -> int:
        """The number of the next line."""
        return self._assembler.line

    def feed(self, data: bytes, alone: int = 0) -> list[Piece]:
        """Take raw bytes from `offset` on; the complete lines they bring, the first `alone` of
        them in a piece each."""
        chunks = self._assembler.feed(data, alone)
        pieces = [Piece(chunk, self._before(chunk, data)) for chunk in chunks]
        if self._assembler.offset is not None:
            self._start += len(data)
            self._recent = (self._recent + data[-OVERLAP:])[-OVERLAP:]
        return pieces

    def end(self) -> list[Piece]:
        """The log has ended: a held `\\r` is a line's end."""
        return [Piece(chunk, self._recent) for chunk in self._assembler.end()]

    def partial(self) -> Chunk | None:
        """The last line where it has no end."""
        return self._assembler.partial()

    def _before(self, chunk: Chunk, data: bytes) -> bytes:
        if chunk.offset is None:
            return b""
        end = chunk.offset - self._start
        if end >= OVERLAP:
            return data[end - OVERLAP : end]
        joined = self._recent + data[:end]
        return joined[-OVERLAP:]


class Skim:
    """Reads a log from byte 0 to a line that was reached before, counting and comparing.

    `feed` gives what lies beyond that line; `cursor` goes on from there once it is `done`.
    """

    def __init__(self, line: int, crc: int, max_line: int, in_bytes: bool = True) -> None:
        self.cursor = Cursor(Checkpoint(offset=0 if in_bytes else None), max_line)
        self.done = line == 0
        self._line = line
        self._crc = crc

    def feed(self, data: bytes) -> list[Piece]:
        """Take raw bytes; pieces beyond the line. Raises `Mismatch` where the CRC differs."""
        if self.done:
            return self.cursor.feed(data)
        before = copy.deepcopy(self.cursor)
        pieces = self.cursor.feed(data)
        if self.cursor.line < self._line:
            return []
        if all(chunk.first + chunk.lines != self._line for chunk, _ in pieces):
            # The line lies inside a chunk, and a CRC is known only at a chunk's end: once more
            # over this read, line by line up to there.
            self.cursor = before
            pieces = self.cursor.feed(data, alone=self._line - before.line)
        self.done = True
        self._compare(pieces)
        return [piece for piece in pieces if piece.chunk.first >= self._line]

    def end(self) -> None:
        """The log has no more now. Raises `Mismatch` where it did not come to the line."""
        pieces = self.cursor.end()  # a \r at the end: a tail has shown it as a line's end already
        if self.cursor.line != self._line:
            raise Mismatch(f"the log has {self.cursor.line} lines, {self._line} were read")
        self.done = True
        self._compare(pieces)

    def _compare(self, pieces: list[Piece]) -> None:
        for chunk, _ in pieces:
            if chunk.first + chunk.lines == self._line and chunk.crc != self._crc:
                raise Mismatch(f"the text before line {self._line} is not what was read")


def epoch_of(session: str, job: str, first_line: bytes, taken: Collection[str] = ()) -> str:
    """The name of a file: 12 hex digits, with a counter where that name was used before."""
    key = b"\0".join((session.encode(), job.encode(), first_line[:EPOCH_BYTES]))
    name = hashlib.sha256(key).hexdigest()[:12]
    if name not in taken:
        return name
    return next(f"{name}.{n}" for n in range(1, len(taken) + 1) if f"{name}.{n}" not in taken)
