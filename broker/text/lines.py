"""Bytes of a log file in, chunks of complete lines out. Pure.

A line ends at `\\n`, `\\r\\n` or a lone `\\r`, and at nothing else. All work is done on a chunk at
a time: a Python step for each line would cost ten times what the work itself costs.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from itertools import accumulate, islice
from typing import Final, NamedTuple
from zlib import crc32

OVERLAP: Final = 4_096
"""Bytes of an over-long line kept beyond `max_line`, so that a secret there is seen whole."""


class Chunk(NamedTuple):
    """Complete lines. `data` holds about `chunk_size` bytes, at most three times that where it was
    no UTF-8."""

    data: bytes  # valid UTF-8; each line's end is one \n
    lines: int
    cr: tuple[int, ...]  # indices of the lines that ended in a lone \r
    cut: dict[int, int]  # line index -> bytes dropped from that over-long line's end
    first: int  # the number of its first line
    offset: int | None  # raw bytes of the file consumed at its end
    crc: int  # CRC32 of all complete lines of the file so far, each end as \n, none cut


class LineAssembler:
    """Splits a file's bytes, fed in pieces of any size, into lines; the pieces leave no trace.

    Linear in time. Holds at most one unfinished line, and of that at most `max_line + OVERLAP`
    bytes: the rest of a longer one is counted, not kept. Not thread-safe. `line`, `offset` (None
    where the source counts no bytes) and `crc` stand at the end of the last complete line.
    """

    def __init__(
        self,
        line: int = 0,
        offset: int | None = 0,
        crc: int = 0,
        max_line: int = 10_240,
        chunk_size: int = 65_536,
    ) -> None:
        self.line = line
        self.offset = offset
        self.crc = crc
        self._cap = max_line + OVERLAP
        self.chunk_size = chunk_size
        self._rest = bytearray()  # raw bytes of the unfinished line, without its end
        self._long: _LongLine | None = None  # instead of `_rest`, once it is over the cap
        self._held = False  # a \r was the last byte: maybe a line end, maybe half of one

    @property
    def pending(self) -> int:
        """Raw bytes taken beyond the last complete line."""
        taken = len(self._rest) if self._long is None else self._long.taken
        return taken + self._held

    def feed(self, data: bytes, alone: int = 0) -> list[Chunk]:
        """Take the next bytes of the file; the lines that they complete. The first `alone` of
        these come as a chunk each."""
        if not data:
            return []
        if self._held:
            data = b"\r" + data
        self._held = data.endswith(b"\r")
        if self._held:
            data = data[:-1]
        has_cr = b"\r" in data
        stop = _last_end(data, 0, len(data), has_cr)
        chunks: list[Chunk] = []
        at = 0
        while at < stop:
            end = 0
            if self._long is None and len(chunks) >= alone:
                room = max(self.chunk_size - len(self._rest), 0)
                end = _last_end(data, at, min(at + room, stop), has_cr)
            if end:
                raw = data[at:end]
                chunks.append(self._chunk(bytes(self._rest) + raw if self._rest else raw, has_cr))
                self._rest.clear()
            else:
                ending, end = _first_end(data, at, has_cr)
                self._grow(data[at:ending])
                chunks.append(self._finish(data[ending:end]))
            at = end
        self._grow(data[stop:])
        return chunks

    def end(self) -> list[Chunk]:
        """The log has ended: a \\r held back ends a line now. What has no end stays `partial`."""
        if not self._held:
            return []
        self._held = False
        return [self._finish(b"\r")]

    def partial(self) -> Chunk | None:
        """The unfinished last line as if it had ended, at the last complete line's offset and CRC.

        It is not consumed. None where nothing is held.
        """
        if not self.pending:
            return None
        if self._long is not None:
            head, dropped = self._long.peek()
        else:
            head, dropped = _cut(bytes(self._rest).decode("utf-8", "replace").encode(), self._cap)
        cut = {0: dropped} if dropped else {}
        return Chunk(head + b"\n", 1, (), cut, self.line, self.offset, self.crc)

    def _grow(self, raw: bytes) -> None:
        """Add to the unfinished line."""
        if self._long is None:
            if len(self._rest) + len(raw) <= self._cap:
                self._rest += raw
                return
            self._long = _LongLine(self._cap, self.crc)
            self._long.add(bytes(self._rest))
            self._rest.clear()
        self._long.add(raw)

    def _finish(self, ending: bytes) -> Chunk:
        """The unfinished line with its end, as a chunk of its own."""
        long, self._long = self._long, None
        if long is None:
            raw = bytes(self._rest) + ending
            self._rest.clear()
            return self._chunk(raw, True)
        head, dropped, crc = long.finish()
        cr = (0,) if ending == b"\r" else ()
        cut = {0: dropped} if dropped else {}
        return self._advance(head + b"\n", 1, cr, cut, long.taken + len(ending), crc)

    def _chunk(self, raw: bytes, has_cr: bool) -> Chunk:
        """Raw complete lines as a chunk."""
        data = raw if raw.isascii() else _valid(raw)
        cr: tuple[int, ...] = ()
        if has_cr and b"\r" in data:
            data, cr = _normal_ends(data)
        crc = crc32(data, self.crc)
        lines = _count_ends(data)
        data, cut = _cut_lines(data, self._cap)
        return self._advance(data, lines, cr, cut, len(raw), crc)

    def _advance(
        self, data: bytes, lines: int, cr: tuple[int, ...], cut: dict[int, int], raw: int, crc: int
    ) -> Chunk:
        first = self.line
        self.line += lines
        self.crc = crc
        if self.offset is not None:
            self.offset += raw
        return Chunk(data, lines, cr, cut, first, self.offset, crc)


class _LongLine:
    """A line over the cap while it is read: its head, and of the rest only length and CRC."""

    _PIECE: Final = 65_536  # what is decoded at a time

    def __init__(self, cap: int, crc: int) -> None:
        self.taken = 0  # raw bytes
        self._cap = cap
        self._crc = crc
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._head = bytearray()  # a little over the cap, so that `_cut` sees what follows it
        self._beyond = 0  # bytes after the head

    def add(self, raw: bytes) -> None:
        """Take the line's next raw bytes."""
        self.taken += len(raw)
        for at in range(0, len(raw), self._PIECE):
            piece = raw[at : at + self._PIECE]
            if not piece.isascii() or self._decoder.getstate()[0]:
                piece = self._decoder.decode(piece).encode()
            self._take(piece)

    def finish(self) -> tuple[bytes, int, int]:
        """Its head, the bytes dropped, and the CRC with its end."""
        self._take(self._decoder.decode(b"", True).encode())
        head, dropped = _cut(bytes(self._head), self._cap)
        return head, dropped + self._beyond, crc32(b"\n", self._crc)

    def peek(self) -> tuple[bytes, int]:
        """Its head and the bytes dropped, if it ended here."""
        head, dropped = _cut(bytes(self._head), self._cap)
        half = self._decoder.getstate()[0].decode("utf-8", "replace").encode()
        return head, dropped + self._beyond + len(half)

    def _take(self, text: bytes) -> None:
        self._crc = crc32(text, self._crc)
        kept = text[: self._cap + 1 - len(self._head)]
        self._head += kept
        self._beyond += len(text) - len(kept)


def _last_end(data: bytes, start: int, stop: int, has_cr: bool) -> int:
    """Where the last line that ends within `[start, stop)` ends, 0 for none; `\\r\\n` is whole."""
    last = data.rfind(b"\n", start, stop)
    if has_cr:
        last = max(last, data.rfind(b"\r", last + 1 if last >= 0 else start, stop))
        if data[last : last + 2] == b"\r\n":
            last += 1
    return last + 1


def _first_end(data: bytes, start: int, has_cr: bool) -> tuple[int, int]:
    """Where the first line from `start` stops, without its end and with it. There is one."""
    newline = data.find(b"\n", start)
    if has_cr:
        cr = data.find(b"\r", start, newline if newline >= 0 else len(data))
        if cr >= 0:
            return cr, cr + (2 if newline == cr + 1 else 1)
    return newline, newline + 1


def _valid(data: bytes) -> bytes:
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode()
    return data


def _count_ends(data: bytes) -> int:
    """The number of \\n. To take them out is twice as fast as to count them in Python 3.11."""
    return len(data) - len(data.replace(b"\n", b""))


def _normal_ends(data: bytes) -> tuple[bytes, tuple[int, ...]]:
    """Each line's end as \\n, and the indices of the lines that ended in a lone \\r."""
    # A progress bar's lines stand together, and to look for a byte is quicker than to split at it.
    start, stop = data.find(b"\r"), data.rfind(b"\r") + 1
    pieces = data[start:stop].split(b"\r")
    pieces[0], pieces[-1] = data[:start], data[stop:]
    # Looking for two bytes is slow, and a log with lone \r is seldom one with \r\n.
    if any(piece.startswith(b"\n") for piece in islice(pieces, 1, None)):
        pieces = data.replace(b"\r\n", b"\n").split(b"\r")
    newlines = accumulate(map(_count_ends, pieces[:-1]))
    cr = tuple(before + index for index, before in enumerate(newlines))
    return b"\n".join(pieces), cr


def _cut(line: bytes, cap: int) -> tuple[bytes, int]:
    """At most `cap` bytes of a line, not in the middle of a character, and how many were cut."""
    if len(line) <= cap:
        return line, 0
    while line[cap] & 0xC0 == 0x80:
        cap -= 1
    return line[:cap], len(line) - cap


def over_long(data: bytes, size: int) -> bool:
    """Whether a line holds more than `size` bytes; a few hops, whatever the number of lines."""
    start = 0
    while len(data) - start > size + 1:
        start = data.rfind(b"\n", start, start + size + 1) + 1
        if not start:
            return True
    return False


def _cut_lines(data: bytes, cap: int) -> tuple[bytes, dict[int, int]]:
    if not over_long(data, cap):
        return data, {}
    cut: dict[int, int] = {}
    lines = data.split(b"\n")
    for index, line in enumerate(lines):
        if len(line) > cap:
            lines[index], cut[index] = _cut(line, cap)
    return b"\n".join(lines), cut
