"""Questions to the journal's file, from any thread. No cursor outlives a call: an open one would
keep the write-ahead log growing while a slow client reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, Full, LifoQueue
from typing import Final

from broker.checkpoint import Checkpoint, Mark
from broker.errors import JournalError
from broker.journal import Span, Stored
from broker.journal.faults import named
from broker.journal.payload import Codec
from broker.journal.rows import load_checkpoint
from broker.topic import Stream

IDLE_CONNECTIONS: Final = 4
BUSY_S: Final = 0.5

_FRAME: Final = "SELECT sequence, kind, first, next, packed, payload FROM frames"
_OVER: Final = f"""
{_FRAME} WHERE epoch_id = :epoch AND kind = 'log'
    AND first > :line - :widest AND first < :line AND next > :line
    AND (first, sequence) > (:first, :sequence)
UNION ALL
{_FRAME} INDEXED BY gaps_by_line WHERE epoch_id = :epoch AND kind = 'gap'
    AND next > :line AND first < :line
    AND (first, sequence) > (:first, :sequence)
ORDER BY first, sequence
"""
_FROM: Final = f"""
{_FRAME} WHERE epoch_id = :epoch AND (first, sequence) > (:first, :sequence)
ORDER BY first, sequence
"""
_UNPUBLISHED: Final = """
SELECT sequence, kind, first, f.next, packed, payload, cluster, job, epoch
FROM frames f JOIN epochs e ON e.id = f.epoch_id JOIN streams s ON s.id = e.stream_id
WHERE sequence > ? AND sequence <= ? ORDER BY sequence
"""
_SPANS: Final = """
SELECT epoch, coalesce((SELECT first FROM frames WHERE epoch_id = e.id AND kind = 'log'
                        ORDER BY first LIMIT 1), next), next, e.ended, complete
FROM epochs e JOIN streams s ON s.id = e.stream_id WHERE cluster = ? AND job = ? ORDER BY e.id
"""
_MARK: Final = """
SELECT epoch, line, "offset", crc, key_lines
FROM marks m JOIN epochs e ON e.id = m.epoch_id JOIN streams s ON s.id = e.stream_id
WHERE cluster = ? AND job = ? AND epoch = ? AND line <= ? ORDER BY line DESC LIMIT 1
"""
_EPOCH: Final = """
SELECT e.id, widest FROM epochs e JOIN streams s ON s.id = e.stream_id
WHERE cluster = ? AND job = ? AND epoch = ?
"""


class _Handle:
    """A connection that only reads, and the codec beside it; one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.sqlite = sqlite3.connect(
            path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        self.sqlite.execute("PRAGMA query_only = 1")
        self.sqlite.execute("PRAGMA cache_size = -256")  # KiB: a replay reads each page once
        self.codec = Codec()

    def frames(self, rows: Iterable[tuple[object, ...]], epoch: str) -> Iterator[Stored]:
        for sequence, kind, first, following, packed, blob in rows:
            payload = self.codec.unpack(bool(packed), blob)  # type: ignore[arg-type]
            yield Stored(sequence, kind, epoch, first, following, payload)  # type: ignore[arg-type]


class Reader:
    """The questions of the `Journal` seam. Raises `JournalError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: LifoQueue[_Handle] = LifoQueue(IDLE_CONNECTIONS)
        self._closed = False

    def checkpoints(self) -> dict[Stream, Checkpoint]:
        with self._handle() as handle:
            rows = handle.sqlite.execute(
                "SELECT cluster, job, checkpoint FROM streams WHERE checkpoint IS NOT NULL"
            ).fetchall()
        return {Stream(cluster, job): load_checkpoint(blob) for cluster, job, blob in rows}

    def spans(self, stream: Stream) -> list[Span]:
        with self._handle() as handle:
            rows = handle.sqlite.execute(_SPANS, stream).fetchall()
        return [
            Span(epoch, first, following, bool(ended), bool(complete))
            for epoch, first, following, ended, complete in rows
        ]

    def mark_before(self, stream: Stream, epoch: str, line: int) -> Mark | None:
        with self._handle() as handle:
            row = handle.sqlite.execute(_MARK, (*stream, epoch, line)).fetchone()
        return None if row is None else Mark(*row)

    def page(
        self, stream: Stream, epoch: str, line: int, after: Stored | None, max_bytes: int
    ) -> list[Stored]:
        page: list[Stored] = []
        with self._handle() as handle, _snapshot(handle.sqlite):
            row = handle.sqlite.execute(_EPOCH, (*stream, epoch)).fetchone()
            if row is None:
                return page
            first, sequence = (-1, 0) if after is None else (after.first, after.sequence)
            where = {"epoch": row[0], "line": line, "widest": row[1]}
            if first < line:
                with closing(
                    handle.sqlite.execute(_OVER, {**where, "first": first, "sequence": sequence})
                ) as rows:
                    max_bytes = _fill(page, handle.frames(rows, epoch), max_bytes)
                first, sequence = line, 0
            if max_bytes > 0:
                with closing(
                    handle.sqlite.execute(_FROM, {**where, "first": first, "sequence": sequence})
                ) as rows:
                    _fill(page, handle.frames(rows, epoch), max_bytes)
        return page

    def newest(self, after: int, until: int, max_bytes: int) -> list[tuple[Stream, Stored]]:
        """Frames of all streams with a sequence in `(after, until]`, oldest first."""
        page: list[tuple[Stream, Stored]] = []
        with (
            self._handle() as handle,
            closing(handle.sqlite.execute(_UNPUBLISHED, (after, until))) as rows,
        ):
            for *frame, cluster, job, epoch in rows:
                (stored,) = handle.frames([tuple(frame)], epoch)
                page.append((Stream(cluster, job), stored))
                max_bytes -= len(stored.payload)
                if max_bytes <= 0:
                    break
        return page

    def close(self) -> None:
        """Close what is idle now, and what is in use as soon as it is not. Idempotent."""
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().sqlite.close()
            except Empty:
                return

    @contextmanager
    def _handle(self) -> Iterator[_Handle]:
        with named(self._path):
            if self._closed:
                raise JournalError(f"journal {self._path}: it is closed")
            try:
                handle = self._idle.get_nowait()
            except Empty:
                handle = _Handle(self._path)
            try:
                yield handle
            except BaseException:
                handle.sqlite.close()
                raise
            try:
                self._idle.put_nowait(handle)
            except Full:
                handle.sqlite.close()
            if self._closed:
                self.close()


def _fill(page: list[Stored], frames: Iterator[Stored], room: int) -> int:
    """Add frames while there is room, and one if there is none yet; the room that is left."""
    for frame in frames:
        room -= len(frame.payload)
        if room < 0 and page:
            return 0
        page.append(frame)
        if room <= 0:
            return 0
    return room


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")
