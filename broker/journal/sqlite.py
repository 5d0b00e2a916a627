"""The embedded journal: one SQLite file in WAL mode, frames compressed with zstd.

The write connection belongs to the thread that calls `append`, `evict` and `forget`; every other
method reads over connections of its own. A process that is killed loses nothing it committed; a
machine that loses power may lose the last commits, and never the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock as Mutex
from typing import Final

import msgspec

from broker.checkpoint import Checkpoint, Mark
from broker.errors import JournalError
from broker.journal import Record, Span, Stored, Usage, rows
from broker.journal.eviction import STEP_FRAMES, Bounds, evict
from broker.journal.faults import named
from broker.journal.ledger import Epoch, Ledger, Log, Victim
from broker.journal.lock import Lock
from broker.journal.payload import Codec, stored_size
from broker.journal.reading import BUSY_S, Reader
from broker.journal.schema import prepare
from broker.topic import Stream

PAGE_BYTES: Final = 1 << 20
FREE_PAGES: Final = 1024  # kept for the next frames; what is beyond goes back to the disk
VACUUM_PAGES: Final = 1024  # in one call of `evict`


class SqliteJournal:
    """A `Journal` in the file `path`, made (mode 0600, with its folder) where it is missing.

    `max_bytes` in all and `max_job_bytes` for each job are stored (compressed) bytes; `max_age_s`
    goes by the frames' `ts`.

    Raises `JournalError` where it cannot be opened: another process has it, it is something
    else, damaged, or of a newer version. Such a file is left as it is.
    """

    def __init__(
        self, path: Path | str, max_bytes: int, max_job_bytes: int, max_age_s: float
    ) -> None:
        self.path = Path(path)
        self.bounds = Bounds(max_bytes, max_job_bytes, max_age_s)
        self.ledger = Ledger()
        self._loaded = False
        self._evicted = 0
        self._last = self._watermark = self._saved_watermark = 0
        self._mutex = Mutex()  # `close` may come from another thread than the writer's
        self._codec = Codec()
        self._reader = Reader(self.path)
        with named(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self.path)
            try:
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                self._sqlite: sqlite3.Connection | None = self._open()
            except BaseException:
                self._lock.release()
                raise
        self._usage = self.ledger.usage(0)

    def append(self, records: Sequence[Record]) -> None:
        with self._transaction() as connection:
            frames: list[tuple[object, ...]] = []
            marks: list[tuple[object, ...]] = []
            epochs: set[Epoch] = set()
            logs: dict[Log, None] = {}
            kept = [record for record in records if record.kind != "heartbeat"]
            blobs = iter(self._codec.pack([record.payload for record in kept]))
            for record in records:
                log = self.ledger.log(record.stream)
                logs[log] = None
                if record.kind != "heartbeat":
                    packed, blob = next(blobs)
                    epoch = self.ledger.add(record, stored_size(blob))
                    epochs.add(epoch)
                    frames.append(
                        (self.ledger.sequence, epoch.id, record.first, record.next, record.kind,
                         record.ts, packed, blob)
                    )  # fmt: skip
                if record.checkpoint is not None:
                    log.checkpoint = record.checkpoint
                if record.mark is not None:
                    epoch = self.ledger.epoch(record.stream, record.mark.epoch)
                    epochs.add(epoch)
                    marks.append((epoch.id, *msgspec.structs.astuple(record.mark)[1:]))
            rows.add_frames(connection, frames)
            rows.add_marks(connection, marks)
            rows.save_epochs(connection, self.ledger, epochs)
            rows.save_logs(connection, logs)

    def published(self, sequence: int) -> None:
        self._watermark = max(self._watermark, min(sequence, self._last))

    def last_sequence(self) -> int:
        return self._last

    def unpublished(self) -> Iterator[tuple[Stream, Stored]]:
        after, until = self._watermark, self._last
        while page := self._reader.newest(after, until, PAGE_BYTES):
            yield from page
            after = page[-1][1].sequence

    def checkpoints(self) -> dict[Stream, Checkpoint]:
        return self._reader.checkpoints()

    def spans(self, stream: Stream) -> list[Span]:
        return self._reader.spans(stream)

    def page(
        self,
        stream: Stream,
        epoch: str,
        line: int,
        after: Stored | None = None,
        max_bytes: int = PAGE_BYTES,
    ) -> list[Stored]:
        return self._reader.page(stream, epoch, line, after, max_bytes)

    def mark_before(self, stream: Stream, epoch: str, line: int) -> Mark | None:
        return self._reader.mark_before(stream, epoch, line)

    def evict(self, now_ns: int) -> int:
        with self._transaction() as connection:
            reaped = rows.reap(connection, STEP_FRAMES)
            evicted = evict(self, self.bounds, now_ns, STEP_FRAMES - reaped)
            self._evicted += evicted
        with self._mutex, named(self.path):
            rows.vacuum(self._writer, FREE_PAGES, VACUUM_PAGES)
        return reaped + evicted

    def forget(self, stream: Stream) -> int:
        with self._transaction() as connection:
            log = self.ledger.remove(stream)
            if log is None:
                return 0
            rows.delete_log(connection, log)
            return log.frames

    def usage(self) -> Usage:
        return self._usage

    def close(self) -> None:
        self._reader.close()
        try:
            if self._sqlite is not None and self._watermark > self._saved_watermark:
                self.append([])
        finally:
            with self._mutex:
                connection, self._sqlite = self._sqlite, None
                if connection is not None:
                    connection.close()
                self._lock.release()

    # What eviction asks of a backend (`eviction.Shelf`), inside its transaction.

    def oldest(self, limit: int) -> list[Victim]:
        return rows.oldest_victims(self._writer, limit)

    def oldest_of(self, epoch: Epoch, limit: int) -> list[Victim]:
        return rows.first_victims(self._writer, epoch, limit)

    def let_go(self, victims: list[Victim]) -> None:
        rows.delete_frames(self._writer, victims)
        rows.save_epochs(self._writer, self.ledger, self.ledger.subtract(victims))

    def drop_epoch(self, epoch: Epoch) -> None:
        rows.delete_epoch(self._writer, epoch.id)
        self.ledger.remove_epoch(epoch)
        log = self.ledger.logs[epoch.stream]
        if not log.epochs:
            rows.delete_log(self._writer, log)
            self.ledger.remove(epoch.stream)

    # The write connection.

    @property
    def _writer(self) -> sqlite3.Connection:
        if self._sqlite is None:
            raise JournalError(f"journal {self.path}: it is closed")
        return self._sqlite

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            prepare(connection, self.path)
            self._load(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _load(self, connection: sqlite3.Connection) -> None:
        self.ledger, self._saved_watermark = rows.load_ledger(connection)
        self._watermark = max(self._watermark, self._saved_watermark)
        self._last = self.ledger.sequence
        self._loaded = True

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on the disk and in the ledger, which a failure has read again."""
        with self._mutex, named(self.path):
            connection = self._writer
            if not self._loaded:
                self._load(connection)
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                watermark = self._watermark
                row = (self.ledger.sequence, watermark)
                if row != (self._last, self._saved_watermark):
                    connection.execute("UPDATE journal SET sequence = ?, watermark = ?", row)
                connection.execute("COMMIT")
            except BaseException:
                self._loaded = False
                if connection.in_transaction:
                    with suppress(sqlite3.Error):  # the error that brought us here says more
                        connection.execute("ROLLBACK")
                raise
            self._saved_watermark = watermark
            self._last = self.ledger.sequence
            self._usage = self.ledger.usage(self._evicted)
